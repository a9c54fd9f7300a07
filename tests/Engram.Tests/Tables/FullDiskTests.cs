using System.Diagnostics;
using Engram.Tables;
using Engram.Tests.Storage;
using Engram.Tests.Tables.Training;

namespace Engram.Tests.Tables;

/// <summary>
/// A store into a hole of a mapped file on a full disk ends the process with a signal; every way to write a mapped table has to find the
/// disk full before it.
/// </summary>
public sealed class FullDiskTests : IDisposable
{
    private const string Folder = "ENGRAM_TEST_SMALL_DISK";
    private const string Tensor = "t.weight";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Writing_to_a_full_disk_is_an_error_and_changes_nothing()
    {
        // A file system of its own, in a mount namespace that only the child sees.
        var disk = Directory.CreateDirectory(_folder.File("disk")).FullName;
        var program = Path.Combine(AppContext.BaseDirectory, "Engram.Tests");
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && File.Exists(program),
            "The test program is started as an executable beside its library."
        );
        Assert.SkipUnless(
            (await InSmallDisk(disk, "true")).ExitCode == 0,
            "This user may not mount a file system (unshare --map-root-user --mount)."
        );
        var (code, output) = await InSmallDisk(
            disk,
            program,
            "-explicit",
            "only",
            "-method",
            $"{typeof(FullDiskTests).FullName}.{nameof(Write_to_the_full_disk)}",
            "-noColor"
        );
        Assert.True(code == 0, output);
        Assert.Contains("Total: 1, Errors: 0, Failed: 0, Skipped: 0", output, StringComparison.Ordinal);
    }

    /// <summary>What the process with the small disk runs.</summary>
    [Fact(Explicit = true)]
    public void Write_to_the_full_disk()
    {
        const int rows = 4000,
            width = 64;
        var disk = Environment.GetEnvironmentVariable(Folder)!;
        var path = Path.Combine(disk, "table");
        EngramTable.CreateFile(path, Tensor, rows, width);
        using var table = EngramTable.MapWritable(path, Tensor);
        File.WriteAllBytes(Path.Combine(disk, "filler"), new byte[new DriveInfo(disk).AvailableFreeSpace]);

        Assert.ThrowsAny<IOException>(() => table.Write(rows - 1, [.. Enumerable.Repeat(1f, width)]));
        Assert.ThrowsAny<IOException>(table.FillZero);
        Assert.ThrowsAny<IOException>(() => table.FillNormal(1, 1));
        foreach (var name in Optimizers.Names)
        {
            using var optimizer = Optimizers.Create(name, table);
            Assert.ThrowsAny<IOException>(() => optimizer.Step([-1, rows / 2], new float[2 * width], 1e-2));
        }
        Assert.DoesNotContain(File.ReadAllBytes(path)[^(rows * width * sizeof(float))..], value => value != 0);
    }

    private static async Task<(int ExitCode, string Output)> InSmallDisk(string disk, params string[] command)
    {
        var start = new ProcessStartInfo(
            "/usr/bin/env",
            [
                "unshare",
                "--map-root-user",
                "--mount",
                "/bin/sh",
                "-c",
                $"mount -t tmpfs -o size=200k none '{disk}' && exec \"$0\" \"$@\"",
                .. command,
            ]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { [Folder] = disk },
        };
        using var child = Process.Start(start)!;
        var error = child.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (child.ExitCode, output + await error);
    }
}

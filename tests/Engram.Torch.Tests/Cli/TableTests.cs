using System.Runtime.InteropServices;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Cli;

public sealed partial class TableTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Info_OfAFile_HasItsNumbers()
    {
        var file = Table(1000, 48, RowFormat.Float8(16));
        var info = (await CliProcess.Run("table", "info", file, "--json")).Ok().Json;
        Assert.Equal(
            (1000, 48, "fp8/16", 51, 51_000),
            (
                info.GetProperty("rows").GetInt64(),
                info.GetProperty("width").GetInt32(),
                info.GetProperty("format").GetString(),
                info.GetProperty("row_bytes").GetInt32(),
                info.GetProperty("bytes").GetInt64()
            )
        );
        Assert.True(info.GetProperty("open_milliseconds").GetDouble() > 0);
        Assert.True(info.GetProperty("mapped").GetBoolean());
        Assert.True(info.GetProperty("disk_bytes").GetInt64() >= 51_000);
        Assert.Equal(EngramTable.HugePageSetting, info.GetProperty("transparent_huge_pages").GetString());
        Assert.Equal(("file", 1), (info.GetProperty("kind").GetString(), info.GetProperty("tables").GetArrayLength()));
        Assert.Equal(
            ("model.layers.2.engram.embed.weight", 2, file),
            (
                info.GetProperty("tables")[0].GetProperty("tensor").GetString(),
                info.GetProperty("tables")[0].GetProperty("layer").GetInt32(),
                info.GetProperty("tables")[0].GetProperty("file").GetString()
            )
        );
        var text = (await CliProcess.Run("table", "info", file)).Ok().Output;
        Assert.Contains("1,000", text);
        Assert.Contains("fp8/16", text);
    }

    /// <summary>The converted folder is a model, and its loss is near that of the original.</summary>
    [Fact]
    public async Task Convert_OfAModelFolder_GivesAModelFolder()
    {
        var (source, target) = (_folder.File("model"), _folder.File("converted"));
        using (var model = RandomModel.Create(TinyRun.Configuration))
            model.Save(source);
        var converted = (await CliProcess.Run("table", "convert", source, "--format", "int8", "--output", target, "--json")).Ok().Json;
        var info = (await CliProcess.Run("table", "info", target, "--json")).Ok().Json;
        Assert.Equal(("int8", "model_folder"), (info.GetProperty("format").GetString(), info.GetProperty("kind").GetString()));
        Assert.Equal(info.GetProperty("bytes").GetInt64(), converted.GetProperty("bytes").GetInt64());
        Assert.Equal(
            info.GetProperty("rows").GetInt64(),
            (await CliProcess.Run("table", "verify", target, "--json")).Ok().Json.GetProperty("rows").GetInt64()
        );
        using var loaded = LanguageModel.Load(target);
        Assert.Equal(RowFormat.Int8(), loaded.Memory!.Tables.Table(0).Format);

        var again = await CliProcess.Run("table", "convert", source, "--format", "int8", "--output", target);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("no empty folder", again.ErrorLine);
    }

    [Fact]
    public async Task Verify_NamesEveryProblem()
    {
        var file = Table(100, 64, RowFormat.Float8());
        var good = (await CliProcess.Run("table", "verify", file)).Ok().Output;
        Assert.Contains("100 rows of 64 values as fp8 read", good);
        Assert.Contains("0 bad", good);
        using (var table = SafetensorsFile.OpenWritable(file))
            unsafe
            {
                table.Pointer("model.layers.2.engram.embed.scale")[2 * 31] = 255;
                table.Pointer("model.layers.2.engram.embed.weight")[64 * 99] = 0x7F;
            }
        var bad = await CliProcess.Run("table", "verify", file);
        Assert.Equal(1, bad.ExitCode);
        Assert.Contains("row 31: scale 0 is 255", bad.Errors);
        Assert.Contains("row 99: value 0 is NaN", bad.Errors);
        Assert.Contains("2 bad rows", bad.Errors);
        Assert.Equal(2, bad.Errors.Split('\n').Count(line => line.Contains(", row ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(2, "'fp9'", "convert", "{0}", "--format", "fp9", "--output", "x.safetensors")]
    [InlineData(2, "source itself", "convert", "{0}", "--format", "fp8", "--output", "{0}")]
    [InlineData(1, "there is no such file or folder", "info", "nowhere.safetensors")]
    [InlineData(1, "nowhere.safetensors", "verify", "nowhere.safetensors")]
    public async Task WrongValue_IsNamedInOneLine(int exitCode, string named, params string[] arguments)
    {
        var file = Table(10, 32, RowFormat.Float32);
        var result = await CliProcess.Run([
            "table",
            .. arguments.Select(argument => argument.Replace("{0}", file, StringComparison.Ordinal)),
        ]);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
    }

    /// <summary>A table that takes a second or so, interrupted.</summary>
    [Fact]
    public async Task Convert_Interrupted_LeavesNothing()
    {
        var (source, target) = (_folder.File("source.safetensors"), _folder.File("target.safetensors"));
        EngramTable.CreateFile(source, "model.layers.2.engram.embed.weight", 4_000_000, 64);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(5));
        CliResult result;
        do
        {
            // A conversion that was over before the signal came is done again.
            File.Delete(target);
            using var process = CliProcess.Start("table", "convert", source, "--format", "fp8", "--output", target);
            while (!process.HasExited && !_folder.Names().Any(name => name.EndsWith(".tmp", StringComparison.Ordinal)))
                await Task.Delay(1, limit.Token);
            // Who has ended meanwhile hears no signal, and has left the target.
            if (!process.HasExited)
                _ = Signal(process.Id, Interrupt);
            result = await CliProcess.Finish(process, limit.Token);
        } while (File.Exists(target));
        Assert.Equal(130, result.ExitCode);
        Assert.Equal(["source.safetensors"], _folder.Names());
    }

    private const int Interrupt = 2;

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);

    private string Table(int rows, int width, RowFormat format)
    {
        var file = _folder.File("table.safetensors");
        using var table = new EngramTable(rows, width, format);
        table.Write(0, [.. Enumerable.Range(0, rows * width).Select(i => i % 13 / 8f)]);
        table.Save(file, "model.layers.2.engram.embed.weight");
        return file;
    }
}

using System.Diagnostics;
using System.Globalization;
using Engram.Corpora;
using Engram.Models.Memory;
using Engram.Tables.Training;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Native;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>
/// A training process that is killed without warning, again and again, every other time in the middle of writing a checkpoint, and that
/// runs
/// out of disk space. tests/kill-resume.sh kills it twenty times and prints the comparison.
/// </summary>
public sealed class KilledRunTests(ITestOutputHelper output) : IDisposable
{
    private const string RunVariable = "ENGRAM_TEST_RUN";
    private const string DataVariable = "ENGRAM_TEST_DATA_FOLDER";
    private const string TablesVariable = "ENGRAM_TEST_TABLES";
    private const string KillsVariable = "ENGRAM_TEST_KILLS";

    private const int DiskBytes = 12_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan PausePerUpdate = TimeSpan.FromMilliseconds(10);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("adam memory", 2)]
    [InlineData("adam mapped", 2)]
    [InlineData("sinkhorn mapped", 1)]
    [InlineData("adagrad mapped", 1)]
    public void Killed_at_any_moment_and_resumed_it_equals_the_run_left_alone(string tables, int kills)
    {
        if (Environment.GetEnvironmentVariable(KillsVariable) is { } more)
            kills = int.Parse(more, CultureInfo.InvariantCulture);
        var (whole, killed) = (_folder.File("whole"), _folder.File("killed"));
        var setup = Setup(killed, kills, tables) with { Resume = true };
        var result = TinyRun.Train(setup with { RunFolder = whole })!;
        var random = new Random(kills);
        var interrupted = 0;
        for (var kill = 0; kill < kills; kill++)
        {
            var duringCheckpoint = kill % 2 == 0;
            using var child = Start(killed, kills, tables);
            // At least one checkpoint further on, so that there is something to go back to.
            var done = Math.Min(UpdatesDone(killed) + 2 + random.Next(3), setup.Options.Steps - 2);
            WaitFor(child, () => UpdatesDone(killed) > done || child.HasExited);
            if (kill == 0)
                Assert.Contains("is another process training there?", Assert.Throws<IOException>(() => TinyRun.Train(setup)).Message);
            if (duringCheckpoint)
                WaitUntilWriting(child, setup, random.Next(8));
            else
                Thread.Sleep(random.Next(60));
            child.Kill();
            child.WaitForExit();
            Assert.True(child.ExitCode != 0, $"The process ended before kill {kill + 1}: {child.StandardOutput.ReadToEnd()}");
            var unfinished = Unfinished(killed);
            interrupted += unfinished.Length;
            output.WriteLine(
                $"kill {kill + 1, 2}: after update {UpdatesDone(killed)}, checkpoints {string.Join(", ", Checkpoints(killed))}"
                    + (unfinished.Length > 0 ? $", while writing {unfinished[0]}" : "")
            );
            // Checkpoints of mapped tables are no whole models.
            foreach (var checkpoint in tables.EndsWith("memory", StringComparison.Ordinal) ? Checkpoints(killed) : [])
                LanguageModel.Load(Path.Combine(killed, "checkpoints", checkpoint)).Dispose();
        }

        var resumed = TinyRun.Train(setup)!;
        var (expected, actual) = (TinyRun.Metrics(whole), TinyRun.Metrics(killed));
        Assert.Equal(expected, actual);
        TinyRun.AssertSameFiles(result.ModelFolder, resumed.ModelFolder);
        Assert.Equal(result.ValidationLoss, resumed.ValidationLoss);
        Assert.True(interrupted > 0, "no kill hit a checkpoint being written");
        Assert.Empty(Unfinished(killed));
        output.WriteLine(
            $"{kills} kills, {interrupted} of them while a checkpoint was being written: {actual.Length} metric lines and the model of "
                + $"{result.Steps} updates equal the uninterrupted run's; "
                + $"validation loss {resumed.ValidationLoss:R} = {result.ValidationLoss:R}"
        );
    }

    [Fact]
    public async Task Full_disk_is_one_error_and_costs_nothing()
    {
        // A file system of its own, in a mount namespace that only the child sees.
        var disk = Directory.CreateDirectory(_folder.File("disk")).FullName;
        Assert.SkipUnless(CanMount(disk), "This user may not mount a file system (unshare --map-root-user --mount).");
        await ChildProcess.Passes(
            typeof(KilledRunTests),
            nameof(Fill_the_disk),
            [
                "/usr/bin/env",
                "unshare",
                "--map-root-user",
                "--mount",
                "/bin/sh",
                "-c",
                $"mount -t tmpfs -o size={DiskBytes} none '{disk}' && exec \"$0\" \"$@\"",
            ],
            (RunVariable, disk),
            (DataVariable, TinyCorpus.Shared.Folder)
        );
    }

    /// <summary>What the process with the small disk runs.</summary>
    [Fact(Explicit = true)]
    public void Fill_the_disk()
    {
        var disk = Environment.GetEnvironmentVariable(RunVariable)!;
        using var data = PreparedCorpus.Open(Environment.GetEnvironmentVariable(DataVariable)!);
        var (run, filler) = (Path.Combine(disk, "run"), Path.Combine(disk, "filler"));
        var setup = Setup(run, kills: 0) with { Corpus = data, Resume = true };
        var result = TinyRun.Train(setup with { RunFolder = _folder.File("whole") })!;
        Assert.Null(TinyRun.Train(setup, stop: 3));
        var before = TinyRun.Files(Path.Combine(run, "checkpoints"));

        // Room for metrics, for no weights.
        File.WriteAllBytes(filler, new byte[new DriveInfo(disk).AvailableFreeSpace - 300_000]);
        var error = Assert.Throws<IOException>(() => TinyRun.Train(setup));
        Assert.Contains("No space left on device", error.Message);
        Assert.Contains(Path.Combine(run, "checkpoints"), error.Message);
        Assert.Contains("The checkpoint of update 3 stands: make room", error.Message);
        Assert.Equal(before, TinyRun.Files(Path.Combine(run, "checkpoints")));

        // No room for anything, not even a line of metrics.
        File.WriteAllBytes(filler + "2", new byte[new DriveInfo(disk).AvailableFreeSpace]);
        error = Assert.Throws<IOException>(() => TinyRun.Train(setup));
        Assert.Contains("No space left on device", error.Message);
        Assert.Contains("The checkpoint of update 3 stands: make room", error.Message);
        Assert.Equal(before, TinyRun.Files(Path.Combine(run, "checkpoints")));

        File.Delete(filler);
        File.Delete(filler + "2");
        TinyRun.AssertSameFiles(result.ModelFolder, TinyRun.Train(setup)!.ModelFolder);
        Assert.Equal(TinyRun.Metrics(_folder.File("whole")), TinyRun.Metrics(run));
    }

    /// <summary>What the killed process runs; nowhere else.</summary>
    [Fact(Explicit = true)]
    public void Train_until_killed()
    {
        using var data = PreparedCorpus.Open(Environment.GetEnvironmentVariable(DataVariable)!);
        var kills = int.Parse(Environment.GetEnvironmentVariable(KillsVariable)!, CultureInfo.InvariantCulture);
        var setup = Setup(Environment.GetEnvironmentVariable(RunVariable)!, kills, Environment.GetEnvironmentVariable(TablesVariable)!) with
        {
            Corpus = data,
            Resume = true,
        };
        Trainer.Run(setup, new Pause(setup.Options.Steps - 1));
    }

    /// <summary>More updates than the kills can cost, and a checkpoint after every other one: many to hit.</summary>
    private static TrainingSetup Setup(string run, int kills, string tables = "adam memory") =>
        TinyRun.Setup(
            run,
            TinyRun.Options with
            {
                Steps = 8 + 6 * kills,
                ValidateEvery = 7,
                CheckpointEvery = 2,
                TableOptimizer = Enum.Parse<TableOptimizer>(tables.Split(' ')[0], ignoreCase: true),
                Tables = Enum.Parse<TableLocation>(tables.Split(' ')[1], ignoreCase: true),
            }
        );

    private static Process Start(string run, int kills, string tables) =>
        ChildProcess.Open(
            typeof(KilledRunTests),
            nameof(Train_until_killed),
            [],
            (RunVariable, run),
            (DataVariable, TinyCorpus.Shared.Folder),
            (KillsVariable, kills.ToString(CultureInfo.InvariantCulture)),
            (TablesVariable, tables)
        );

    private static bool CanMount(string folder)
    {
        using var attempt = Process.Start(
            new ProcessStartInfo("/usr/bin/env")
            {
                RedirectStandardError = true,
                ArgumentList = { "unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", folder },
            }
        )!;
        attempt.WaitForExit();
        return attempt.ExitCode == 0;
    }

    private static void WaitFor(Process child, Func<bool> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > Patience)
            {
                child.Kill();
                Assert.Fail("The training process does not get on.");
            }

            Thread.Sleep(1);
        }
    }

    /// <summary>
    /// Waits until a checkpoint is being written, and a little longer. A write that ends within that time was missed: the next one is met
    /// at its beginning.
    /// </summary>
    private static void WaitUntilWriting(Process child, TrainingSetup setup, int milliseconds)
    {
        var run = setup.RunFolder;
        bool Over() => child.HasExited || UpdatesDone(run) == setup.Options.Steps - 1;
        do
        {
            WaitFor(child, () => Unfinished(run).Length > 0 || Over());
            Thread.Sleep(milliseconds);
            milliseconds = 0;
        } while (Unfinished(run).Length == 0 && !Over());
    }

    private static int UpdatesDone(string run)
    {
        var path = Path.Combine(run, "metrics.jsonl");
        using var stream = File.Exists(path)
            ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete)
            : Stream.Null;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n').Count(line => line.Contains("\"loss\""));
    }

    private static string[] Checkpoints(string run) => Folders(run, name => name.All(char.IsAsciiDigit));

    private static string[] Unfinished(string run) => Folders(run, name => name.EndsWith(".tmp", StringComparison.Ordinal));

    private static string[] Folders(string run, Func<string, bool> wanted)
    {
        var checkpoints = Path.Combine(run, "checkpoints");
        return Directory.Exists(checkpoints)
            ?
            [
                .. Directory
                    .GetDirectories(checkpoints)
                    .Select(folder => Path.GetFileName(folder)!)
                    .Where(wanted)
                    .Order(StringComparer.Ordinal),
            ]
            : [];
    }

    /// <summary>Gives the killer time: without end before the last update, so that the process never finishes by itself.</summary>
    private sealed class Pause(long last) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => Thread.Sleep(value.Step == last ? Timeout.InfiniteTimeSpan : PausePerUpdate);
    }
}

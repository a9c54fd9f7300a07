using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Engram.Corpora;
using Engram.Models.Memory;
using Engram.Tables;
using Engram.Tables.Training;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Native;
using Engram.Torch.Tests.Training;
using Engram.Training;

namespace Engram.Torch.Tests.Crashes;

/// <summary>
/// Training on a machine that dies. A process trains while everything that it does to its files is recorded (recorder.c); the recording is
/// cut at random places, and of what was not flushed there the disk
/// keeps what chance decides: pages of mapped tables, sectors, lengths, names. Every disk that is left must resume to the run left alone.
/// tests/machine-crash.sh cuts two hundred times.
/// </summary>
public sealed class MachineCrashTests(ITestOutputHelper output) : IDisposable
{
    private const string RunVariable = "ENGRAM_TEST_RUN";
    private const string DataVariable = "ENGRAM_TEST_DATA_FOLDER";
    private const string TablesVariable = "ENGRAM_TEST_TABLES";
    private const string CutsVariable = "ENGRAM_TEST_CUTS";
    private const int Cuts = 4;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>In the test suite the two that differ most.</summary>
    public static TheoryData<string> Kinds =>
        Environment.GetEnvironmentVariable(CutsVariable) is null
            ? ["adam memory", "adam mapped"]
            : ["adam memory", "adam mapped", "sinkhorn mapped", "adagrad mapped"];

    /// <summary>Half of the cuts hit a run that began anew, half one that was resumed from the leavings of a crash.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public async Task Whatever_the_disk_kept_the_run_resumes_to_the_same_losses(string tables)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Recording needs LD_PRELOAD of Linux.");
        Assert.SkipUnless(Compile(), "There is no C compiler (gcc) to build the recorder with.");
        var cuts = int.Parse(
            Environment.GetEnvironmentVariable(CutsVariable) ?? Cuts.ToString(CultureInfo.InvariantCulture),
            CultureInfo.InvariantCulture
        );
        var whole = _folder.File("whole");
        var result = TinyRun.Train(Setup(whole, tables))!;
        var random = new Random(cuts);
        var disk = Directory.CreateDirectory(_folder.File("disk")).FullName;
        var left = await Cut(disk, tables, (cuts + 1) / 2, random);
        // The disk to go on with is one that has a checkpoint to return to.
        var again =
            left.FirstOrDefault(folder =>
                Directory.Exists(Path.Combine(folder, "run", "checkpoints"))
                && Directory.GetDirectories(Path.Combine(folder, "run", "checkpoints")).Length > 0
                && !File.Exists(Path.Combine(folder, "run", TrainingResult.FileName))
            ) ?? left[^1];
        TinyRun.CopyFolder(again, _folder.File("disk again"));
        left.AddRange(await Cut(_folder.File("disk again"), tables, cuts / 2, random));
        foreach (var folder in left)
        {
            var run = Path.Combine(folder, "run");
            var before = Directory.Exists(run)
                ? string.Join(", ", TinyRun.Files(run).Select(file => $"{file.Key} {file.Value.Length}"))
                : "nothing";
            TrainingResult resumed;
            try
            {
                resumed = TinyRun.Train(Setup(run, tables))!;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{Path.GetFileName(folder)} does not resume; it held {before}.", e);
            }
            Assert.True(
                resumed.ValidationLoss.Equals(result.ValidationLoss) && TinyRun.Metrics(whole).SequenceEqual(TinyRun.Metrics(run)),
                $"{Path.GetFileName(folder)} resumes to other losses; it held {before}."
            );
            TinyRun.AssertSameFiles(result.ModelFolder, resumed.ModelFolder);
            Directory.Delete(folder, recursive: true);
        }
        output.WriteLine(
            $"{tables}: {left.Count} crashes of the machine resume to the losses and the model of the run left alone; validation loss "
                + $"{result.ValidationLoss:R}"
        );
    }

    /// <summary>What the recorded process runs; nowhere else.</summary>
    [Fact(Explicit = true)]
    public void Train_while_recorded()
    {
        // Calls that the library makes by itself go the way of all others, past the recorder.
        NativeLibrary.SetDllImportResolver(
            typeof(EngramTable).Assembly,
            (name, _, _) => name == "libc" ? NativeLibrary.GetMainProgramHandle() : 0
        );
        using var data = PreparedCorpus.Open(Environment.GetEnvironmentVariable(DataVariable)!);
        Assert.NotNull(
            TinyRun.Train(
                Setup(Environment.GetEnvironmentVariable(RunVariable)!, Environment.GetEnvironmentVariable(TablesVariable)!) with
                {
                    Corpus = data,
                }
            )
        );
    }

    /// <summary>Trains in a recorded process, and gives what crashes at random places leave of its disk.</summary>
    private async Task<List<string>> Cut(string disk, string tables, int cuts, Random random)
    {
        var recording = disk + " recording";
        var simulated = new SimulatedDisk(disk);
        await ChildProcess.Passes(
            typeof(MachineCrashTests),
            nameof(Train_while_recorded),
            (RunVariable, Path.Combine(disk, "run")),
            (DataVariable, TinyCorpus.Shared.Folder),
            (TablesVariable, tables),
            ("LD_PRELOAD", Recorder),
            ("RECORD_ROOT", disk),
            ("RECORD_LOG", recording)
        );
        var calls = SimulatedDisk.Count(recording);
        Assert.True(calls > 100, $"Only {calls} calls were recorded.");
        var folders = new List<string>();
        simulated.Play(
            recording,
            Enumerable.Range(0, cuts).Select(_ => random.Next(calls)).ToList(),
            number =>
            {
                folders.Add($"{disk} {folders.Count} cut before call {number} of {calls}");
                simulated.WriteTo(folders[^1], random);
            }
        );
        return folders;
    }

    private static TrainingSetup Setup(string run, string tables) =>
        TinyRun.Setup(
            run,
            TinyRun.Options with
            {
                CheckpointEvery = 2,
                TableOptimizer = Enum.Parse<TableOptimizer>(tables.Split(' ')[0], ignoreCase: true),
                Tables = Enum.Parse<TableLocation>(tables.Split(' ')[1], ignoreCase: true),
            },
            resume: true
        );

    private string Recorder => _folder.File("recorder.so");

    private bool Compile()
    {
        try
        {
            using var compiler = Process.Start(
                new ProcessStartInfo(
                    "gcc",
                    [
                        "-O2",
                        "-shared",
                        "-fPIC",
                        "-o",
                        Recorder,
                        Path.Combine(AppContext.BaseDirectory, "Crashes", "recorder.c"),
                        "-ldl",
                        "-lpthread",
                    ]
                )
            )!;
            compiler.WaitForExit();
            Assert.Equal(0, compiler.ExitCode);
            return true;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}

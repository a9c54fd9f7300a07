using System.Text.Json;
using Engram.Studies.Processes;
using Engram.Studies.Quickstart;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Cli;
using Engram.Training;

namespace Engram.Torch.Tests.Studies;

/// <summary>The quickstart itself, with the program's own processes, on a text of a few words.</summary>
public sealed class QuickstartRunTests : IDisposable
{
    private static readonly EngramCommand Program = new(CliProcess.Program, []);

    private readonly TemporaryFolder _folder = new();
    private readonly QuickstartStudy _study;

    public QuickstartRunTests()
    {
        File.WriteAllText(_folder.File("corpus.txt"), SampleCorpus.Text());
        _study = QuickstartStudy.Default with
        {
            Source = _folder.File("corpus.txt"),
            VocabularySize = 300,
            Training = new TrainingOptions
            {
                Steps = 60,
                Sequences = 2,
                Length = 16,
                LearningRate = 8e-3,
                ValidateEvery = 30,
                ValidationSequences = 4,
                CheckpointEvery = 20,
            },
            Sampling = new() { MaxNewTokens = 4 },
        };
    }

    private string Output => _folder.File("quickstart");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Quickstart_Interrupted_GoesOn_Measures_Reports_AndReusesWhatIsThere()
    {
        using (var stop = new CancellationTokenSource())
        {
            var progress = new Reports(report =>
            {
                if (report.Arms.Any(arm => arm.Step > 0))
                    stop.Cancel();
            });
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Run(() => Run([1], progress, stop.Token)));
        }
        // A process that still ran would hold its folder, and Begin would say so.
        var begun = _study.Arms.Where(arm => Directory.Exists(RunFolder(1, arm))).ToList();
        Assert.NotEmpty(begun);
        Assert.All(begun, arm => Trainer.Begin(arm.Configuration, _study.Training with { Seed = 1 }, RunFolder(1, arm)));
        Assert.False(File.Exists(Path.Combine(Output, "results.json")));

        var first = Run([1]);
        Assert.Equal((5, false), (first.Runs, first.ResultsReused));
        var json = JsonDocument.Parse(File.ReadAllText(first.ResultsFile)).RootElement;
        Assert.All(
            json.GetProperty("arms").EnumerateArray(),
            arm =>
            {
                // a model that has learnt nothing guesses among 300
                Assert.InRange(arm.GetProperty("validation_loss").GetDouble(), 1, Math.Log(300) - 1);
                Assert.True(File.Exists(Path.Combine(arm.GetProperty("model").GetString()!, "model.safetensors")));
            }
        );
        Assert.True(json.GetProperty("memory_off_loss").GetDouble() > 0);
        Assert.NotEqual(json.GetProperty("memory_off_loss").GetDouble(), json.GetProperty("shuffled_rows_loss").GetDouble());
        Assert.Contains("Layer 1, counted from 0", File.ReadAllText(first.ReportFile));

        // Again: nothing is done, nothing is written.
        var (results, report) = (File.GetLastWriteTimeUtc(first.ResultsFile), File.GetLastWriteTimeUtc(first.ReportFile));
        var again = Run([1]);
        Assert.Equal((5, 5, true), (again.ReusedRuns, again.Runs, again.ResultsReused));
        Assert.Equal((results, report), (File.GetLastWriteTimeUtc(first.ResultsFile), File.GetLastWriteTimeUtc(first.ReportFile)));
        Assert.Equal(first.Results.ToJson(), again.Results.ToJson());

        // A second seed: the first one's models are kept, and measured as before.
        var both = Run([1, 2]);
        Assert.Equal((5, 10, false), (both.ReusedRuns, both.Runs, both.ResultsReused));
        Assert.Equal(first.Results.Arms, both.Results.Arms);
        Assert.Equal(first.Results.MemoryOffLoss, both.Results.MemoryOffLoss);
        Assert.NotEqual(both.Results.Seeds[0].Arms[0].ValidationLoss, both.Results.Seeds[1].Arms[0].ValidationLoss);
        Assert.Equal([1L, 2L], new QuickstartRunner(_study, Output, Program).SeedsReported());
    }

    [Fact]
    public void Quickstart_WhoseTrainingFails_ShowsWhy()
    {
        // One of the first two fails while the other would run on. Where they run one by one, nothing runs beside the one that fails.
        var other = ArmTraining.Processes > 1 ? "exec sleep 36000" : "exit 0";
        var broken = new EngramCommand(
            "/bin/sh",
            ["-c", $"case \"$*\" in *engram-one-row*) echo out of luck >&2; exit 7;; *) {other};; esac"]
        );
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(5));

        var error = Assert.Throws<ChildProcessException>(() => new QuickstartRunner(_study, Output, broken).Run([1], null, limit.Token));

        Assert.Contains("failed with exit code 7", error.Message);
        Assert.Contains("seed-1/engram-one-row/train.log", error.Message);
        Assert.Contains("out of luck", error.Tail);
        Assert.False(limit.IsCancellationRequested, "The other process was not ended.");
    }

    [Fact]
    public void Seeds_AreAtLeastOne_AndEachOnce()
    {
        Assert.Null(new QuickstartRunner(_study, Output, Program).SeedsReported());
        Assert.Throws<ArgumentException>(() => Run([]));
        Assert.Throws<ArgumentException>(() => Run([1, 1]));
    }

    [Fact]
    public async Task Command_RefusesSeedsThatAreNoNumbers()
    {
        var result = await CliProcess.Run("quickstart", "--output", Output, "--seeds", "1,two");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("'two'", result.ErrorLine);
        Assert.False(Directory.Exists(Output));
    }

    private string RunFolder(long seed, QuickstartArm arm) => Path.Combine(Output, $"seed-{seed}", arm.Name);

    private QuickstartOutcome Run(long[] seeds, IProgress<QuickstartProgress>? progress = null, CancellationToken cancellation = default) =>
        new QuickstartRunner(_study, Output, Program).Run(seeds, progress, cancellation);

    private sealed class Reports(Action<QuickstartProgress> action) : IProgress<QuickstartProgress>
    {
        public void Report(QuickstartProgress value) => action(value);
    }
}

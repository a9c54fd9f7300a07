using System.Text.Json.Nodes;
using Engram.Studies.Definitions;
using Engram.Studies.Planning;
using Engram.Studies.Processes;
using Engram.Studies.Results;
using Engram.Studies.Running;
using Engram.Studies.StudyReports;
using Engram.Studies.Verdicts;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Cli;

namespace Engram.Torch.Tests.Studies;

/// <summary>The runner itself, with the program's own processes, on a text of a few words.</summary>
public sealed class StudyRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Study _study;
    private readonly StudySize _size;

    public StudyRunTests()
    {
        File.WriteAllText(_folder.File("corpus.txt"), SampleCorpus.Text());
        var smoke = StudyLibrary.Size("smoke");
        _size = smoke with
        {
            Training = new JsonObject
            {
                ["sequences"] = 2,
                ["length"] = 16,
                ["learning_rate"] = 8e-3,
                ["validate_every"] = 20,
            },
            ValidationSequences = 4,
            CheckpointEvery = 5,
            Corpora = new Dictionary<string, StudyCorpus>
            {
                ["text"] = new() { Source = "text", VocabularySize = 300 },
            },
        };
        _study = StudyLibrary.Named("controls", "smoke")[0] with
        {
            Measures = ["memory_off"],
            Sizes = new Dictionary<string, IReadOnlyList<StudySetting>>
            {
                ["smoke"] =
                [
                    new StudySetting
                    {
                        Name = "text",
                        Corpus = "text",
                        Tokens = 1280,
                        Seeds = [1],
                        Arms = ["moe", "engram"],
                    },
                ],
            },
        };
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Study_Interrupted_OrDividedIntoSlices_EndsWithTheSameBytes()
    {
        Assert.Equal((2, 0), Counts(Run("whole")));
        var rows = Rows("whole");
        Assert.Equal(5, rows.Count(letter => letter == '\n'));

        // Ended in the middle of training, as by Ctrl-C, and again by the next call.
        using (var stop = new CancellationTokenSource())
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
                Task.Run(() => Run("interrupted", progress: new Stops(stop), cancellation: stop.Token))
            );
        // What a killed process leaves of a line is no row.
        Directory.CreateDirectory(Folders("interrupted").Study(_study.Name));
        File.AppendAllText(Folders("interrupted").Rows(_study.Name), "{\"study\":\"contr");
        Run("interrupted");
        Assert.Equal(rows, Rows("interrupted"));

        // Nothing is repeated.
        Assert.Equal((0, 2), Counts(Run("interrupted")));
        Assert.Equal(rows, Rows("interrupted"));

        // Two slices, each with models of its own, and one report.
        Assert.Equal((1, 0), Counts(Run("slices", new StudySlice(1, 2))));
        Assert.Equal((1, 0), Counts(Run("slices", new StudySlice(2, 2))));
        var (whole, sliced) = (
            StudyReporting.Write([_study], _size, Folders("whole")),
            StudyReporting.Write([_study], _size, Folders("slices"))
        );
        Assert.Equal(rows, Rows("slices"));
        Assert.Equal(whole[0].Markdown(), sliced[0].Markdown());
        Assert.Equal(
            File.ReadAllText(Path.Combine(Folders("whole").Study(_study.Name), "report-smoke.html")),
            File.ReadAllText(Path.Combine(Folders("slices").Study(_study.Name), "report-smoke.html"))
        );
    }

    [Fact]
    public void Models_AreComparedWithTheReference_AndShown()
    {
        var study = _study with
        {
            Reference = "moe",
            Measures = ["memory_mean", "memory_permuted", "cloze", "curve", "lens", "alignment"],
            Exhibits = ["gates", "sample"],
            Charts =
            [
                new ChartDefinition("Curves", ["*"], "measure", "curve_"),
                new ChartDefinition("Layers", ["engram"], "pairs", "cka_"),
            ],
        };

        Assert.Equal((2, 0), Counts(Run("shown", study: study)));

        var rows = MeasurementFile.Read(Folders("shown").Rows(study.Name)).ToLookup(row => row.Arm);
        string[] both =
        [
            "bits_per_byte",
            "cloze_chosen",
            "cloze_written",
            "curve_20",
            "curve_40",
            "curve_points",
            "lens_kl_1",
            "lens_kl_mean",
            "loss",
        ];
        Assert.Equal(both, rows["text/moe"].Select(row => row.Measure));
        Assert.Equal(
            [
                .. both,
                "aligned_1",
                "aligned_2",
                "alignment_lead",
                "cka_1_1",
                "cka_1_2",
                "cka_2_1",
                "cka_2_2",
                "loss_memory_mean",
                "loss_memory_permuted",
            ],
            rows["text/engram"].Select(row => row.Measure).OrderBy(name => Array.IndexOf(both, name) is var place and >= 0 ? place : 99)
        );
        double Of(string measure) => rows["text/engram"].Single(row => row.Measure == measure).Value;
        Assert.Equal(Of("loss"), Of("curve_40"));
        Assert.All(
            rows["text/engram"].Where(row => row.Measure.StartsWith("cka_", StringComparison.Ordinal)),
            row => Assert.InRange(row.Value, -0.5, 1.05)
        );
        Assert.InRange(Of("aligned_1"), 1, 2);
        Assert.Equal(((Of("aligned_1") - 1) + (Of("aligned_2") - 2)) / 2, Of("alignment_lead"), 1e-12);
        // Rows that compare two models depend on both.
        Assert.Equal(2, rows["text/engram"].Select(row => row.Inputs).Distinct().Count());

        var report = StudyReporting.Write([study], _size, Folders("shown"));
        var page = File.ReadAllText(Path.Combine(Folders("shown").Study(study.Name), "report-smoke.html"));
        foreach (var expected in (string[])["Layer 1, counted from 0", "Temperature 0.8", "layer 2 and layer 1: ", ">updates</text>"])
            Assert.Contains(expected, page);
        Assert.DoesNotContain("texts left out", page);
        Assert.DoesNotContain("cka 1 1", page);
        Assert.Equal((2, 2), report[0].Runs);

        // Nothing is repeated; another definition of a model leaves the old rows out.
        Assert.Equal((0, 2), Counts(Run("shown", study: study)));
        var wider = study with { Changes = new JsonObject { ["rope_theta"] = 5000 } };
        Assert.Equal(0, StudyReporting.Write([wider], _size, Folders("shown"))[0].Runs.Measured);
        Assert.Contains(
            "rows of other seeds, definitions or texts left out",
            File.ReadAllText(Path.Combine(Folders("shown").Study(study.Name), "report-smoke.html"))
        );
    }

    [Fact]
    public void ExtendedModels_AndThoseThatWereNot_AreReadAtTheNewLength()
    {
        static StudyArm Arm(string name, int? factor = null) =>
            new()
            {
                Name = name,
                Base = "moe",
                Description = name,
                Extends = factor is { } by ? new ArmExtension("moe", by, 0.2, 2e-3) : null,
            };
        var study = _study with
        {
            Arms = [Arm("moe"), Arm("moe-more", 1), Arm("moe-long", 4)],
            Equal = [],
            Reference = "moe-long",
            Measures = ["long_loss"],
            Sizes = new Dictionary<string, IReadOnlyList<StudySetting>>
            {
                ["smoke"] = [_study.Sizes["smoke"][0] with { Tokens = 640, Arms = ["*"] }],
            },
        };

        Assert.Equal((3, 0), Counts(Run("extended", study: study)));

        var rows = MeasurementFile.Read(Folders("extended").Rows(study.Name)).ToDictionary(row => (row.Arm, row.Measure), row => row.Value);
        foreach (var arm in (string[])["text/moe", "text/moe-more"])
        {
            Assert.NotEqual(rows[(arm, "long_loss")], rows[(arm, "long_loss_yarn")]);
            Assert.NotEqual(rows[(arm, "long_loss_beyond")], rows[(arm, "long_loss_yarn_beyond")]);
        }
        Assert.Equal(rows[("text/moe-long", "loss")], rows[("text/moe-long", "long_loss")], 1e-5);
        Assert.False(rows.ContainsKey(("text/moe-long", "long_loss_yarn")));
        Assert.NotEqual(rows[("text/moe-more", "loss")], rows[("text/moe", "loss")]);
    }

    private static (int, int) Counts(StudyOutcome outcome)
    {
        Assert.Empty(outcome.Failures);
        return (outcome.Trained, outcome.Reused);
    }

    private StudyFolders Folders(string name) => new(_folder.File(name), Path.Combine(_folder.File(name), "results"));

    private string Rows(string name) => File.ReadAllText(Folders(name).Rows(_study.Name));

    private StudyOutcome Run(
        string name,
        StudySlice? slice = null,
        Study? study = null,
        IProgress<StudyProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        using var corpora = new StudyCorpora(Path.Combine(_folder.File(name), "data"), _folder.File("corpus.txt"));
        return new StudyRunner([study ?? _study], _size, Folders(name), corpora, new EngramCommand(CliProcess.Program, []))
        {
            Slice = slice ?? StudySlice.Whole,
            Processes = 2,
        }.Run(progress, cancellation);
    }

    /// <summary>Interrupts as soon as a model is being trained.</summary>
    private sealed class Stops(CancellationTokenSource stop) : IProgress<StudyProgress>
    {
        public void Report(StudyProgress value)
        {
            if (value.Running.Count > 0)
                stop.Cancel();
        }
    }

    /// <summary>A run that failed, or of another text, keeps the rows it has until others take their place.</summary>
    [Fact]
    public void RowsOfEarlierInputs_GoOnlyWhereTheirRunWasMeasuredAgain()
    {
        static Measurement Row(string size, string arm, string inputs) => new("main", size, arm, 2, "loss", 1, inputs);
        Measurement[] rows =
        [
            Row("smoke", "docs/again", "before"),
            Row("smoke", "docs/again", "today"),
            Row("smoke", "docs/failed", "before"),
            Row("smoke", "docs/gone", "before"),
            Row("nano", "docs/again", "before"),
        ];
        var known = new Dictionary<(string, long), HashSet<string>> { [("docs/again", 2)] = ["today"], [("docs/failed", 2)] = ["today"] };

        Assert.Equal(rows.Skip(1), StudyRunner.WithoutStale(rows, "smoke", known));
    }

    /// <summary>A model stays when the questions about its world become others; what was answered to the old ones does not count.</summary>
    [Fact]
    public void RowsOfEarlierQuestions_AreTakenAnew_OfTheSameModel()
    {
        static Measurement Row(string measure, string inputs) => new("main", "smoke", "world/moe", 2, measure, 1, inputs);
        var study = StudyLibrary.Named("main", "smoke")[0];
        var plan = StudyPlan.Of(study, StudyLibrary.Size("smoke"));
        var run = plan.Runs.Single(run => run.Arm.Name == "moe");
        var model = RunInputs.Of(run, "world");
        var job = new StudyJob(model, [run], _ => "world");
        Measurement[] before = [Row("loss", model), Row("cloze_chosen", model), Row("recall_arithmetic", model)];
        ILookup<(string, string, string, long), Measurement> Rows(params Measurement[] rows) =>
            rows.ToLookup(row => (row.Study, row.Size, row.Arm, row.Seed));

        Assert.Equal(["world"], job.Missing(Rows(before)).Select(missing => missing.Measure.Name));
        var anew = Row("recall_arithmetic", RunInputs.OfQuestions(model));
        Assert.Empty(job.Missing(Rows([.. before, anew])));
        var known = new Dictionary<(string, long), HashSet<string>> { [("world/moe", 2)] = [model] };
        Assert.Equal(before, StudyRunner.WithoutStale(before, "smoke", known));
        Assert.Equal([.. before[..2], anew], StudyRunner.WithoutStale([.. before, anew], "smoke", known));

        // A report counts the new rows alone, whether or not it knows the text.
        Assert.Equal(1, new StudyData(plan, before).RowsLeftOut);
        Assert.Empty(new StudyData(plan, before).Seeds("world", "moe", "recall_arithmetic"));
        Assert.Single(new StudyData(plan, [.. before, anew]).Seeds("world", "moe", "recall_arithmetic"));
    }
}

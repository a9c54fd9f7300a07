using System.Text.Json.Nodes;
using Engram.Studies.Definitions;
using Engram.Studies.Processes;
using Engram.Studies.Running;
using Engram.Studies.StudyReports;
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
        IProgress<StudyProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        using var corpora = new StudyCorpora(Path.Combine(_folder.File(name), "data"), _folder.File("corpus.txt"));
        return new StudyRunner([_study], _size, Folders(name), corpora, new EngramCommand(CliProcess.Program, []))
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
}

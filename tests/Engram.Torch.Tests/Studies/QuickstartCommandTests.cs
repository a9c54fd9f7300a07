using System.Text.Json.Nodes;
using Engram.Cli.Commands;
using Engram.Models.Configuration;
using Engram.Studies.Definitions;
using Engram.Studies.Planning;
using Engram.Studies.Processes;
using Engram.Studies.Running;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Cli;

namespace Engram.Torch.Tests.Studies;

/// <summary>What the command adds to the study of its name; running it is <see cref="StudyRunTests"/>.</summary>
public sealed class QuickstartCommandTests
{
    [Fact]
    public void WithoutOptions_ItIsTheStudy()
    {
        var (study, size) = QuickstartCommand.Definition("dotnet-docs", [1, 2, 3]);

        Assert.Equal(
            Hashes(StudyPlan.Of(StudyLibrary.Named("quickstart", "nano")[0], StudyLibrary.Size("nano"))),
            Hashes(StudyPlan.Of(study, size).Checked())
        );
    }

    [Fact]
    public void TextOfTheUsers_TakesThePlaceOfTheDocumentation()
    {
        var (study, size) = QuickstartCommand.Definition("speeches", [7]);

        var plan = StudyPlan.Of(study, size).Checked();
        Assert.Equal(5, plan.Runs.Count);
        Assert.All(
            plan.Runs,
            run => Assert.Equal(("text", "text", 4096, 7), (run.Setting.Name, run.Corpus.Source, run.Corpus.VocabularySize, run.Seed))
        );
    }

    /// <summary>The command's own work, on a text of a few words and models of a few updates.</summary>
    [Fact]
    public void Run_LeavesReportChartAndModels_UnderNamesForPeople()
    {
        using var folder = new TemporaryFolder();
        var (output, source) = (folder.File("quickstart"), folder.File("corpus.txt"));
        File.WriteAllText(source, SampleCorpus.Text());
        var (study, size) = QuickstartCommand.Definition(source, [1]);
        var text = size.Corpora["text"] with { VocabularySize = 300 };
        size = size with
        {
            ValidationSequences = 4,
            Corpora = new Dictionary<string, StudyCorpus> { ["text"] = text },
        };
        var training = new JsonObject { ["validate_every"] = 2 };
        var setting = study.Sizes[size.Name][0] with { Tokens = 4 * 1024, Arms = ["moe", "engram"], Training = training };
        study = study with { Sizes = new Dictionary<string, IReadOnlyList<StudySetting>> { [size.Name] = [setting] } };
        void Run() =>
            QuickstartCommand.Run(
                study,
                size,
                output,
                source,
                new EngramCommand(CliProcess.Program, []),
                json: false,
                TestContext.Current.CancellationToken
            );

        Run();

        var page = File.ReadAllText(Path.Combine(output, "report.html"));
        Assert.StartsWith("<!DOCTYPE html>", page);
        foreach (
            var expected in (string[])["Layer 1, counted from 0", "Temperature 0.8", "Validation loss during training", "loss, mean row"]
        )
            Assert.Contains(expected, page);
        Assert.DoesNotContain("index.html", page);
        foreach (var arm in (string[])["moe", "engram"])
            Assert.True(File.Exists(Path.Combine(output, "seed-1", arm, "model", "config.json")));
        var rows = File.ReadAllText(Path.Combine(output, "results", "quickstart", "measurements.jsonl"));

        // Again, from what is there.
        Run();
        Assert.Equal(rows, File.ReadAllText(Path.Combine(output, "results", "quickstart", "measurements.jsonl")));
        Assert.Equal(page, File.ReadAllText(Path.Combine(output, "report.html")));
    }

    [Fact]
    public void Control_DiffersFromEngramInTheTableAlone()
    {
        var (engram, control) = (Presets.Load("quickstart-engram"), Presets.Load("quickstart-engram-one-row"));

        Assert.NotEqual(engram, control);
        Assert.Equal(engram, control with { Engram = engram.Engram });
        // One row of 8 values for each of 4 heads of 2 orders.
        Assert.Equal(64, ModelPlan.Of(control).MemoryParameters);
    }

    [Fact]
    public void Model_GetsANameForPeople_AndNothingOfTheUsersIsReplaced()
    {
        using var folder = new TemporaryFolder();
        var output = folder.File("quickstart");
        string Run(string hash)
        {
            var run = Path.Combine(output, "models", hash);
            Directory.CreateDirectory(run);
            File.WriteAllText(Path.Combine(run, "result.json"), hash);
            return run;
        }

        foreach (var hash in (string[])["one", "one", "two"])
        {
            QuickstartCommand.Link(output, new TrainedModel("docs", "engram", 1, Run(hash)));
            Assert.Equal(hash, File.ReadAllText(Path.Combine(output, "seed-1", "engram", "result.json")));
        }

        Directory.CreateDirectory(Path.Combine(output, "seed-2", "moe"));
        var error = Assert.Throws<IOException>(() => QuickstartCommand.Link(output, new TrainedModel("docs", "moe", 2, Run("one"))));
        Assert.Contains("seed-2/moe", error.Message);
    }

    [Theory]
    [InlineData("1,two", "'two'")]
    [InlineData("1,1", "twice")]
    public async Task SeedsThatAreNone_OrNamedTwice_AreRefused(string seeds, string expected)
    {
        using var folder = new TemporaryFolder();

        var result = await CliProcess.Run("quickstart", "--output", folder.File("quickstart"), "--seeds", seeds);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.ErrorLine);
        Assert.False(Directory.Exists(folder.File("quickstart")));
    }

    private static IEnumerable<string> Hashes(StudyPlan plan) => plan.Runs.Select(run => RunInputs.Of(run, "text"));
}

using Engram.Cli.Commands;
using Engram.Models.Configuration;
using Engram.Studies.Definitions;
using Engram.Studies.Planning;
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

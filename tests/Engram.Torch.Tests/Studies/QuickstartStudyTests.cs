using Engram.Models.Configuration;
using Engram.Studies.Quickstart;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Studies;

public sealed class QuickstartStudyTests
{
    private static readonly QuickstartStudy Study = QuickstartStudy.Default;

    [Fact]
    public void Arms_HaveEqualActiveParameters()
    {
        var active = Study.Arms.Select(arm => (double)ModelPlan.Of(arm.Configuration).ActiveParameters).ToList();

        Assert.All(active, count => Assert.InRange(count / active[0], 0.99, 1.01));
    }

    [Fact]
    public void Engram_HasTheTotalParametersOfMoe()
    {
        Assert.InRange((double)Total(QuickstartStudy.Engram) / Total(QuickstartStudy.Moe), 0.995, 1.005);

        static long Total(string name) => ModelPlan.Of(Arm(name).Configuration).TotalParameters;
    }

    [Fact]
    public void Control_DiffersFromEngramInTheTableAlone()
    {
        var (engram, control) = (Arm(QuickstartStudy.Engram).Configuration, Arm(QuickstartStudy.OneRow).Configuration);

        Assert.NotEqual(engram, control);
        Assert.Equal(engram, control with { Engram = engram.Engram });
        // One row of 8 values for each of 4 heads of 2 orders.
        Assert.Equal(64, ModelPlan.Of(control).MemoryParameters);
    }

    [Fact]
    public void FewExperts_AreFewer() =>
        Assert.True(Arm(QuickstartStudy.MoeFew).Configuration.NRoutedExperts * 4 < Arm(QuickstartStudy.Moe).Configuration.NRoutedExperts);

    [Fact]
    public void SlowArms_StartFirst() =>
        Assert.Equal(["engram", "engram-one-row", "moe", "moe-few", "dense"], Study.LongestFirst.Select(arm => arm.Name));

    [Fact]
    public void Comparisons_NameArms_AndBothMixturesAgainstEngram()
    {
        Assert.All(Study.Comparisons, pair => Assert.Equal((pair.Arm, pair.Baseline), (Arm(pair.Arm).Name, Arm(pair.Baseline).Name)));
        Assert.Contains((QuickstartStudy.Engram, QuickstartStudy.Moe), Study.Comparisons);
        Assert.Contains((QuickstartStudy.Engram, QuickstartStudy.MoeFew), Study.Comparisons);
    }

    [Fact]
    public void Folder_OfTheSameStudy_IsTaken_OfAnotherOne_IsRefused()
    {
        using var temporary = new TemporaryFolder();
        var folder = new QuickstartFolder(temporary.File("quickstart"));
        folder.Claim(Study);

        folder.Claim(Study with { Training = Study.Training with { Seed = 9 } });
        foreach (
            var other in (QuickstartStudy[])
                [
                    Study with
                    {
                        Source = "speeches",
                    },
                    Study with
                    {
                        VocabularySize = 512,
                    },
                    Study with
                    {
                        Training = Study.Training with { Steps = 7 },
                    },
                    Study with
                    {
                        Arms = [.. Study.Arms.Skip(1)],
                    },
                ]
        )
        {
            var error = Assert.Throws<IOException>(() => folder.Claim(other));
            Assert.Contains("study.json", error.Message);
            Assert.Contains("--output", error.Message);
        }
    }

    private static QuickstartArm Arm(string name) => Study.Arms.Single(arm => arm.Name == name);
}

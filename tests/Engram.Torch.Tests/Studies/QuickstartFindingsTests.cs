using Engram.Studies.Quickstart;
using Engram.Studies.Statistics;

namespace Engram.Torch.Tests.Studies;

public sealed class QuickstartFindingsTests
{
    [Fact]
    public void OneSeed_IsSaidToBeOne()
    {
        var answer = Answer(QuickstartExample.OneSeed, "Memory instead of part of the experts");

        Assert.Equal("engram 2.750, moe 3.000 nats per token: −0.250. engram is better, in one seed.", answer);
    }

    [Fact]
    public void NegativeResult_IsSaidPlainly()
    {
        var results = QuickstartExample.Results(QuickstartExample.Seed(1, 3.5, 3, 3.125, 3.25, 3));

        Assert.Equal(
            "engram 3.250, moe 3.000 nats per token: +0.250. engram is worse, in one seed.",
            Answer(results, "Memory instead of part of the experts")
        );
    }

    [Fact]
    public void DifferenceWithinTheNoise_IsNone() =>
        Assert.Equal(
            "engram-one-row 3.000, moe 3.000 nats per token: 0.000. No difference is established: with one seed, less than 0.035 nats is within the noise.",
            Answer(QuickstartExample.OneSeed, "Control")
        );

    [Theory]
    [InlineData(new[] { -0.2, -0.1, -0.3 }, "a is better in all 3 seeds.")]
    [InlineData(new[] { 0.2, 0.1 }, "a is worse in all 2 seeds.")]
    [InlineData(new[] { -0.2, 0.1, -0.3 }, "No difference is established: the 3 seeds disagree about its sign.")]
    [InlineData(
        new[] { -0.01, -0.02, -0.01 },
        "a is better in all 3 seeds, but on average by less than the 0.035 nats that two runs of one model may differ."
    )]
    [InlineData(new[] { 0.03 }, "No difference is established: with one seed, less than 0.035 nats is within the noise.")]
    public void Verdict_IsNoStrongerThanTheSeeds(double[] differences, string expected) =>
        Assert.Equal(expected, QuickstartFindings.Verdict(PairedDifference.Of("a", differences, "b", new double[differences.Length])));

    [Fact]
    public void SwitchingOff_IsNotCalledTheBenefit()
    {
        Assert.Equal("engram goes from 2.750 to 4.250 nats per token: +1.500.", Answer(QuickstartExample.OneSeed, "Memory switched off"));
        Assert.Equal(
            "engram goes from 2.750 to 4.500 nats per token: +1.750.",
            Answer(QuickstartExample.OneSeed, "Rows of the tables shuffled")
        );
        Assert.Contains(
            "changes by +0.250 when its own memory is switched off",
            Answer(QuickstartExample.OneSeed, "What switching off means")
        );
    }

    [Fact]
    public void Experts_AreJudgedWithTheirParameters()
    {
        var finding = QuickstartFindings.Of(QuickstartExample.OneSeed).Single(finding => finding.Question.StartsWith("What many experts"));

        Assert.Contains("240,000 parameters more", finding.Question);
        Assert.Contains("moe 3.000, moe-few 3.125 nats per token: −0.125", finding.Answer);
    }

    [Fact]
    public void SeveralSeeds_GiveMeanAndSpread()
    {
        var results = QuickstartExample.Results(
            QuickstartExample.Seed(1, 3.5, 3, 3.25, 2.75, 3),
            QuickstartExample.Seed(2, 3.5, 3.25, 3.5, 2.75, 3),
            QuickstartExample.Seed(3, 3.5, 3.5, 3.75, 2.75, 3)
        );

        Assert.Equal(
            "engram 2.750, moe 3.250 nats per token: −0.500 on average (−0.750 to −0.250, standard deviation 0.250). engram is better in all 3 seeds.",
            Answer(results, "Memory instead of part of the experts")
        );
    }

    private static string Answer(QuickstartResults results, string question) =>
        QuickstartFindings.Of(results).Single(finding => finding.Question.StartsWith(question)).Answer;
}

using Engram.Studies.Definitions;
using Engram.Studies.Planning;
using Engram.Studies.Rows;
using Engram.Studies.Verdicts;

namespace Engram.Torch.Tests.Studies;

/// <summary>Verdicts on rows made up by hand.</summary>
public sealed class ClaimVerdictTests
{
    private static readonly StudySize Size = StudyLibrary.Size("nano");
    private static readonly Study Allocation = StudyLibrary.Named("allocation", "nano")[0] with
    {
        Sizes = new Dictionary<string, IReadOnlyList<StudySetting>>
        {
            ["nano"] =
            [
                new StudySetting
                {
                    Name = "a",
                    Corpus = "docs",
                    Tokens = 1024,
                    Seeds = [1, 2, 3],
                },
            ],
        },
    };

    [Theory]
    [InlineData(-0.10, -0.11, -0.12, Outcome.Reproduced)]
    [InlineData(0.10, 0.11, 0.12, Outcome.NotReproduced)]
    [InlineData(-0.10, 0.11, -0.02, Outcome.WithinNoise)]
    public void Difference_IsJudgedAgainstTwiceItsSpread(double first, double second, double third, Outcome expected)
    {
        var claim = new DifferenceClaim
        {
            Text = "experts are better",
            Arm = "rho-100",
            Baseline = "experts-2",
        };

        var verdict = Judge(claim, ("experts-2", [4, 4, 4]), ("rho-100", [4 + first, 4 + second, 4 + third]));

        Assert.Equal(expected, verdict.Outcome);
        Assert.Contains("rho-100 less experts-2: ", verdict.Sentence);
    }

    [Fact]
    public void Difference_SmallerThanAskedFor_IsNotReproduced() =>
        Assert.Equal(
            Outcome.NotReproduced,
            Judge(
                new DifferenceClaim
                {
                    Text = "",
                    Arm = "rho-100",
                    Baseline = "experts-2",
                    AtLeast = 0.1,
                },
                ("experts-2", [4, 4, 4]),
                ("rho-100", [3.95, 3.951, 3.949])
            ).Outcome
        );

    [Fact]
    public void OneSeed_DecidesNothing()
    {
        var verdict = Judge(
            new DifferenceClaim
            {
                Text = "",
                Arm = "rho-100",
                Baseline = "experts-2",
            },
            ("experts-2", [4]),
            ("rho-100", [3])
        );

        Assert.Equal(
            (Outcome.WithinNoise, true),
            (verdict.Outcome, verdict.Sentence.EndsWith("One seed decides nothing.", StringComparison.Ordinal))
        );
    }

    [Theory]
    [InlineData(4.10, 4.00, 4.05, 4.10, 4.20, Outcome.Reproduced)]
    [InlineData(4.00, 4.10, 4.15, 4.20, 4.30, Outcome.NotReproduced)]
    public void InteriorMinimum_MustLieBelowBothEnds(double at0, double at25, double at50, double at75, double at100, Outcome expected)
    {
        var claim = new InteriorMinimumClaim
        {
            Text = "",
            Arms = ["rho-*"],
            PaperFrom = 75,
            PaperTo = 85,
        };
        static double[] Around(double value) => [value - 0.001, value, value + 0.001];

        var verdict = Judge(
            claim,
            ("rho-0", Around(at0)),
            ("rho-25", Around(at25)),
            ("rho-50", Around(at50)),
            ("rho-75", Around(at75)),
            ("rho-100", Around(at100))
        );

        Assert.Equal(expected, verdict.Outcome);
        Assert.Contains("the quadratic has its minimum at", verdict.Sentence);
    }

    [Fact]
    public void WithoutRows_NothingIsClaimed() =>
        Assert.All(
            ClaimVerdicts.Of(new StudyData(StudyPlan.Of(Allocation, Size), [])),
            verdict => Assert.Equal(Outcome.NotMeasured, verdict.Outcome)
        );

    [Fact]
    public void RowsOfRunsThatTheStudyDoesNotHave_AreLeftOut()
    {
        var data = new StudyData(
            StudyPlan.Of(Allocation, Size),
            [
                new("allocation", "nano", "a/gone", 1, "loss", 1, ""),
                new("allocation", "nano", "a/rho-0", 9, "loss", 1, ""),
                new("allocation", "smoke", "a/rho-0", 1, "loss", 1, ""),
            ]
        );

        Assert.Equal(0, data.MeasuredRuns);
    }

    private static Verdict Judge(StudyClaim claim, params (string Arm, double[] Losses)[] arms)
    {
        var rows = arms.SelectMany(arm =>
            arm.Losses.Select((loss, seed) => new Measurement("allocation", "nano", $"a/{arm.Arm}", seed + 1, "loss", loss, ""))
        );
        return Assert.Single(ClaimVerdicts.Of(new StudyData(StudyPlan.Of(Allocation with { Claims = [claim] }, Size), rows)));
    }
}

using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Planning;
using Engram.Studies.Results;
using Engram.Studies.Verdicts;
using Engram.Tests.Storage;

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
                    Corpus = "dotnet-docs",
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

    [Theory]
    [InlineData(0.010, Outcome.WithinNoise)]
    [InlineData(0.050, Outcome.Reproduced)]
    public void Difference_WhoseSeedsAgreeByLuck_IsAsNoisyAsOthersOfItsSetting(double margin, Outcome expected)
    {
        double[] Noisy(double value) => [value - 0.02, value, value + 0.02];

        var verdict = Judge(
            new DifferenceClaim
            {
                Text = "",
                Arm = "rho-25",
                Baseline = "rho-0",
            },
            ("rho-0", [4, 4, 4]),
            ("rho-25", [4 - margin, 3.999 - margin, 4.001 - margin]),
            ("rho-50", Noisy(4.1)),
            ("rho-75", Noisy(4.2)),
            ("rho-100", Noisy(4.3))
        );

        Assert.Equal(expected, verdict.Outcome);
        // Said where it decides.
        Assert.Equal(expected == Outcome.WithinNoise, verdict.Sentence.EndsWith("; differences from rho-0 usually spread by 0.020."));
    }

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

        Assert.Equal((Outcome.Undecided, "rho-100 less experts-2: −1.000 (one seed)."), (verdict.Outcome, verdict.Sentence));
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
        Assert.Contains(
            $"only {(expected == Outcome.Reproduced ? 25 : 0)} % experts is within the noise of the lowest point",
            verdict.Sentence
        );
    }

    [Fact]
    public void InteriorMinimum_OfAParabola_NamesItsMinimum()
    {
        static double[] Seeds(double rho) =>
            [.. new[] { 71.9, 72.9, 73.9 }.Select((minimum, seed) => 4 + (0.02 * seed) + (2e-5 * (rho - minimum) * (rho - minimum)))];

        var verdict = Judge(
            new InteriorMinimumClaim
            {
                Text = "",
                Arms = ["rho-*"],
                PaperFrom = 75,
                PaperTo = 85,
            },
            ("rho-0", Seeds(0)),
            ("rho-25", Seeds(25)),
            ("rho-50", Seeds(50)),
            ("rho-75", Seeds(75)),
            ("rho-100", Seeds(100))
        );

        Assert.Equal(Outcome.Reproduced, verdict.Outcome);
        Assert.Contains(
            "only 75 % experts is within the noise of the lowest point, the parabola has its minimum at 73 ± 1 %",
            verdict.Sentence
        );
    }

    /// <summary>At least 0.1 is asked for: what counts is the distance from 0.1, not from 0.</summary>
    [Theory]
    [InlineData(-0.005, 0.03, Outcome.NotReproduced)]
    [InlineData(-0.11, 0.03, Outcome.WithinNoise)]
    [InlineData(-0.18, 0.03, Outcome.Reproduced)]
    public void Difference_OfAtLeast_IsJudgedAgainstWhatIsAskedFor(double mean, double deviation, Outcome expected) =>
        Assert.Equal(
            expected,
            Judge(
                new DifferenceClaim
                {
                    Text = "",
                    Arm = "rho-100",
                    Baseline = "experts-2",
                    AtLeast = 0.1,
                },
                ("experts-2", [4, 4, 4]),
                ("rho-100", [4 + mean - deviation, 4 + mean, 4 + mean + deviation])
            ).Outcome
        );

    [Fact]
    public void TwoSeeds_DecideNothing_HoweverAlikeTheyAre() =>
        Assert.Equal(
            Outcome.Undecided,
            Judge(
                new DifferenceClaim
                {
                    Text = "",
                    Arm = "rho-100",
                    Baseline = "experts-2",
                },
                ("experts-2", [4, 4]),
                ("rho-100", [3.8, 3.8001])
            ).Outcome
        );

    /// <summary>A flat part and a step: a parabola has its minimum near 24 % whatever the flat part does, so none is told.</summary>
    [Fact]
    public void InteriorMinimum_OfAStep_NamesNoMinimumOfAParabola()
    {
        var verdict = Judge(
            new InteriorMinimumClaim
            {
                Text = "",
                Arms = ["rho-*"],
                PaperFrom = 75,
                PaperTo = 85,
            },
            ("rho-0", [4.001, 4.002, 4.000]),
            ("rho-25", [4.000, 4.001, 4.001]),
            ("rho-50", [4.001, 4.000, 4.002]),
            ("rho-100", [4.200, 4.201, 4.202])
        );

        Assert.Equal(Outcome.WithinNoise, verdict.Outcome);
        Assert.Contains(
            "0 to 50 % experts are within the noise of the lowest point, no parabola passes through the points",
            verdict.Sentence
        );
    }

    [Theory]
    [InlineData(new[] { 4.0, 4.1, 4.2, 4.3 }, new[] { 4.3, 4.2, 4.1, 4.0 }, Outcome.Reproduced)]
    [InlineData(new[] { 4.3, 4.2, 4.1, 4.0 }, new[] { 4.0, 4.1, 4.2, 4.3 }, Outcome.NotReproduced)]
    [InlineData(new[] { 4.0, 4.0, 4.1, 4.2 }, new[] { 4.1, 4.0, 4.1, 4.2 }, Outcome.WithinNoise)]
    public void Minimum_HasMoved_WhereNoPointCanBeTheLowestOfBoth(double[] before, double[] after, Outcome expected)
    {
        var claim = new MinimumMovesClaim
        {
            Text = "",
            Arms = ["rho-*"],
            Order = ["a", "b"],
        };
        string[] arms = ["rho-0", "rho-25", "rho-50", "rho-100"];
        var settings = Allocation.Sizes["nano"];
        var study = Allocation with
        {
            Claims = [claim],
            Sizes = new Dictionary<string, IReadOnlyList<StudySetting>> { ["nano"] = [settings[0], settings[0] with { Name = "b" }] },
        };
        var rows = new[] { ("a", before), ("b", after) }.SelectMany(curve =>
            arms.Zip(curve.Item2)
                .SelectMany(point =>
                    Enumerable
                        .Range(1, 3)
                        .Select(seed => new Measurement(
                            "allocation",
                            "nano",
                            $"{curve.Item1}/{point.First}",
                            seed,
                            "loss",
                            point.Second + (0.001 * ((seed + curve.Item2.ToList().IndexOf(point.Second)) % 3)),
                            ""
                        ))
                )
        );

        Assert.Equal(expected, Assert.Single(ClaimVerdicts.Of(new StudyData(StudyPlan.Of(study, Size), rows))).Outcome);
    }

    /// <summary>Seven sizes on a line, and on a parabola whose slope falls by a third: both have R² above 0.98.</summary>
    [Theory]
    [InlineData(0, "No bend beyond the noise")]
    [InlineData(0.015, "The points bend: a parabola has +0.015 ± 0.001 per squared decade, so the slope changes by +0.0")]
    public void LogLinear_SaysWhetherThePointsBend(double bend, string expected)
    {
        var study = StudyLibrary.Named("infinite-memory", "nano")[0];
        var setting = study.Sizes["nano"][0];
        var claim = study.Claims.OfType<LogLinearClaim>().First();
        var only = study with
        {
            Claims = [claim],
            Sizes = new Dictionary<string, IReadOnlyList<StudySetting>> { ["nano"] = [setting] },
        };
        var plan = StudyPlan.Of(only, Size);
        var empty = new StudyData(plan, []);
        var rows = plan
            .Runs.Where(run => claim.Arms.Matches(run.Arm.Name) && run.Plan.MemoryParameters > 0)
            .Select(run =>
            {
                var x = Math.Log10(empty.Position(setting, run.Arm, "memory"));
                var mine = bend + (0.001 * (run.Seed - setting.Seeds[1]));
                return new Measurement(
                    only.Name,
                    "nano",
                    run.RowArm,
                    run.Seed,
                    "loss",
                    5 - (0.3 * x) + (mine * x * x) + (0.01 * run.Seed),
                    ""
                );
            });

        var verdict = Assert.Single(ClaimVerdicts.Of(new StudyData(plan, rows)));

        Assert.Equal(Outcome.Reproduced, verdict.Outcome);
        Assert.Contains(expected, verdict.Sentence);
    }

    [Fact]
    public void RowsOfOneRunWithDifferentInputs_AreLeftOutAndCounted()
    {
        var data = new StudyData(
            StudyPlan.Of(Allocation, Size),
            [
                new("allocation", "nano", "a/rho-0", 1, "loss", 4, "0123456789abcdef"),
                new("allocation", "nano", "a/rho-0", 1, "bits_per_byte", 2, "fedcba9876543210"),
                new("allocation", "nano", "a/rho-0", 2, "loss", 4, "0123456789abcdef"),
            ]
        );

        Assert.Equal((1, 2), (data.MeasuredRuns, data.RowsLeftOut));
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

        Assert.Equal((0, 2), (data.MeasuredRuns, data.RowsLeftOut));
    }

    [Fact]
    public void RowsOfAnotherDefinition_AreLeftOut_AndThoseOfTheSameModelInAnotherStudyCount()
    {
        using var folder = new TemporaryFolder();
        TextIdentities.Write(folder.File("results"), [("nano", "dotnet-docs", "text/2048")]);
        var plan = StudyPlan.Of(Allocation, Size);
        string Inputs(string arm) => RunInputs.Of(plan.Runs.First(run => run.Arm.Name == arm && run.Seed == 1), "text/2048");

        var data = new StudyData(
            plan,
            [
                new("allocation", "nano", "a/rho-0", 1, "loss", 4, Inputs("rho-0")),
                new("allocation", "nano", "a/rho-25", 1, "loss", 9, "0123456789abcdef"),
                new("another", "nano", "b/table", 7, "loss", 5, Inputs("rho-50")),
            ],
            TextIdentities.Read(folder.File("results"))
        );

        Assert.Equal((2, 1), (data.MeasuredRuns, data.RowsLeftOut));
        Assert.Equal(5, data.Seeds("a", "rho-50", "loss")[1]);
        Assert.Empty(data.Seeds("a", "rho-25", "loss"));
    }

    [Theory]
    [InlineData(0.2, Outcome.Undecided)]
    [InlineData(0.0, Outcome.NotReproduced)]
    public void Level_InPercentOfNearlyNothing_DecidesNothing(double least, Outcome expected)
    {
        var claim = new LevelClaim
        {
            Text = "",
            Arm = "rho-0",
            Measure = "recall_passage_off",
            PercentOf = "recall_passage",
            LeastWhole = least,
            Above = 80,
        };
        Measurement Row(string measure, long seed, double value) =>
            new("allocation", "nano", "a/rho-0", seed, measure, value, Measure.InputsOf(measure, "model"));
        var rows = Enumerable
            .Range(1, 3)
            .SelectMany(seed =>
                (Measurement[])
                    [Row("loss", seed, 4), Row("recall_passage", seed, 0.04), Row("recall_passage_off", seed, 0.01 + (1e-4 * seed))]
            );

        var verdict = Assert.Single(ClaimVerdicts.Of(new StudyData(StudyPlan.Of(Allocation with { Claims = [claim] }, Size), rows)));

        Assert.Equal(expected, verdict.Outcome);
        Assert.Equal(expected == Outcome.Undecided, verdict.Sentence.Contains("of a score of 0.040 a share says nothing"));
    }

    [Theory]
    [InlineData(4.25, 50, Outcome.NotReproduced)] // three quarters of the gain kept
    [InlineData(4.90, 50, Outcome.Reproduced)] // a tenth
    public void Share_IsOfTheGainOfOneArmOverAnother(double loss, double below, Outcome expected)
    {
        static double[] Around(double value) => [value - 0.01, value, value + 0.01];

        var verdict = Judge(
            new ShareClaim
            {
                Text = "",
                Arm = "rho-50",
                Whole = "rho-0",
                None = "rho-100",
                Below = below,
            },
            ("rho-0", Around(4)),
            ("rho-50", Around(loss)),
            ("rho-100", Around(5))
        );

        Assert.Equal(expected, verdict.Outcome);
        Assert.Contains(loss == 4.25 ? "75.0 ± 0.0 %" : "10.0 ± 0.0 %", verdict.Sentence);
    }

    private static Verdict Judge(StudyClaim claim, params (string Arm, double[] Losses)[] arms)
    {
        var rows = arms.SelectMany(arm =>
            arm.Losses.Select((loss, seed) => new Measurement("allocation", "nano", $"a/{arm.Arm}", seed + 1, "loss", loss, ""))
        );
        return Assert.Single(ClaimVerdicts.Of(new StudyData(StudyPlan.Of(Allocation with { Claims = [claim] }, Size), rows)));
    }
}

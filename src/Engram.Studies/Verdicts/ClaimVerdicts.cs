using System.Globalization;
using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Statistics;

namespace Engram.Studies.Verdicts;

/// <summary>
/// Judges claims by the numbers alone, each against the <see cref="Noise"/> of its seeds; differences are paired by seed.
/// </summary>
internal static class ClaimVerdicts
{
    /// <summary>One verdict for each claim and setting that can decide it.</summary>
    public static IReadOnlyList<Verdict> Of(StudyData data) => [.. data.Plan.Study.Claims.SelectMany(claim => Of(data, claim))];

    private static IReadOnlyList<Verdict> Of(StudyData data, StudyClaim claim)
    {
        var settings = data.Settings.Where(setting => !setting.Selection && claim.Settings.Matches(setting.Name)).ToList();
        var verdicts = claim is MinimumMovesClaim moves
            ? [MinimumMoves(data, moves)]
            : settings
                .Select(setting =>
                    claim switch
                    {
                        DifferenceClaim difference => Difference(data, setting, difference),
                        InteriorMinimumClaim minimum => InteriorMinimum(data, setting, minimum),
                        LogLinearClaim line => LogLinear(data, setting, line),
                        BestArmClaim best => BestArm(data, setting, best),
                        LevelClaim level => Level(data, setting, level),
                        ShareClaim share => Share(data, setting, share),
                        _ => throw new InvalidDataException($"A claim of the kind {claim.GetType().Name} cannot be judged."),
                    }
                )
                .OfType<Verdict>()
                .ToList();
        return verdicts.Count > 0
            ? verdicts
            : [new Verdict(claim, "", Outcome.NotMeasured, "Nothing that decides it has been measured at this size.")];
    }

    private static Verdict? Difference(StudyData data, StudySetting setting, DifferenceClaim claim)
    {
        if (data.Difference(setting.Name, claim.Arm, claim.Baseline, claim.Measure) is not { } difference)
            return null;
        var margin = ((claim.Above ? 1 : -1) * difference.Mean) - claim.AtLeast;
        var usual = data.UsualDeviation(setting, claim.Baseline, claim.Measure);
        var outcome = Noise.Judge(margin, difference.PerSeed, usual);
        return new Verdict(
            claim,
            setting.Name,
            outcome,
            $"{claim.Arm} less {claim.Baseline}{(claim.Measure == "loss" ? "" : ", " + MeasureWords.Of(claim.Measure))}: {Describe(difference)}"
                + (claim.AtLeast > 0 ? $"; {Signed(claim.Above ? claim.AtLeast : -claim.AtLeast)} or more was claimed" : "")
                + (
                    outcome != Noise.Judge(margin, difference.PerSeed)
                        ? $"; differences from {claim.Baseline} usually spread by {Number(usual)}."
                        : "."
                )
        );
    }

    private static Verdict? InteriorMinimum(StudyData data, StudySetting setting, InteriorMinimumClaim claim)
    {
        var arms = data.Arms(setting, claim.Arms, claim.Measure).OrderBy(arm => data.Position(setting, arm, "rho")).ToList();
        if (arms.Count < 3)
            return null;
        var curve = AllocationCurve.Of(data, setting, claim.Arms, claim.Measure);
        var lowest = arms.MinBy(arm => data.Statistics(setting.Name, arm.Name, claim.Measure)!.Mean)!;
        var words =
            $"Lowest measured at {data.Position(setting, lowest, "rho"):0} % experts; {curve?.Words ?? "no seed has all points"} (published: {claim.PaperFrom:0} to {claim.PaperTo:0} %)";
        if (lowest == arms[0] || lowest == arms[^1])
        {
            var neighbour = lowest == arms[0] ? arms[1] : arms[^2];
            var step = data.Difference(setting.Name, neighbour.Name, lowest.Name, claim.Measure)!;
            return new Verdict(
                claim,
                setting.Name,
                Noise.Judge(-step.Mean, step.PerSeed),
                $"{words}. That is an end of the curve; the next point lies {Describe(step)} above it."
            );
        }
        var ends = new[] { arms[0], arms[^1] }.Select(end => data.Difference(setting.Name, lowest.Name, end.Name, claim.Measure)!).ToList();
        return new Verdict(
            claim,
            setting.Name,
            Noise.Weakest(ends.Select(end => Noise.Judge(-end.Mean, end.PerSeed))),
            $"{words}. Against the ends: {string.Join("; ", ends.Select(end => $"{end.Baseline} {Describe(end)}"))}."
        );
    }

    private static Verdict MinimumMoves(StudyData data, MinimumMovesClaim claim)
    {
        var curves = claim
            .Order.Select(name => data.Settings.SingleOrDefault(setting => setting.Name == name))
            .OfType<StudySetting>()
            .Select(setting => (setting.Name, Curve: AllocationCurve.Of(data, setting, claim.Arms, claim.Measure)))
            .Where(entry => entry.Curve is not null)
            .ToList();
        if (curves.Count < 2)
            return new Verdict(
                claim,
                "",
                Outcome.NotMeasured,
                "Fewer than two of the settings have a curve of four points with one seed in all."
            );
        var (first, last) = (curves[0].Curve!, curves[^1].Curve!);
        var outcome =
            curves.Any(entry => entry.Curve!.Seeds < Noise.LeastSeeds) ? Outcome.Undecided
            : last.From > first.To ? Outcome.Reproduced
            : last.To < first.From ? Outcome.NotReproduced
            : Outcome.WithinNoise;
        return new Verdict(claim, "", outcome, $"{string.Join(". ", curves.Select(entry => $"{entry.Name}: {entry.Curve!.Words}"))}.");
    }

    private static Verdict? LogLinear(StudyData data, StudySetting setting, LogLinearClaim claim)
    {
        var arms = data.Arms(setting, claim.Arms, claim.Measure).Where(arm => data.Position(setting, arm, "memory") > 0).ToList();
        var seeds = data.CommonSeeds(setting, arms, claim.Measure);
        if (arms.Count < 3 || seeds.Count == 0)
            return null;
        double[] decades = [.. arms.Select(arm => Math.Log10(data.Position(setting, arm, "memory")))];
        double[] Values(long seed) => [.. arms.Select(arm => data.Seeds(setting.Name, arm.Name, claim.Measure)[seed])];
        var means = PolynomialFit.Of(
            decades,
            [.. Enumerable.Range(0, arms.Count).Select(i => seeds.Average(seed => Values(seed)[i]))],
            degree: 1
        );
        double[] slopes = [.. seeds.Select(seed => PolynomialFit.Of(decades, Values(seed), degree: 1).Coefficients[1])];
        var outcome =
            means.R2 < claim.LeastR2 && seeds.Count >= Noise.LeastSeeds ? Outcome.NotReproduced : Noise.Judge(-slopes.Average(), slopes);
        var words = Invariant(
            $"{arms.Count} sizes over {decades.Max() - decades.Min():0.0} decades: {Spread(slopes)} nats per decade (published {Signed(claim.PaperSlope)}), R² {means.R2:0.000}, asked for {claim.LeastR2:0.00}."
        );
        return new Verdict(claim, setting.Name, outcome, words + Bend(decades, [.. seeds.Select(Values)]));
    }

    /// <summary>
    /// Whether the points of every seed bend away from a line, and by how much: five points of a smooth curve have a high R².
    /// </summary>
    private static string Bend(double[] decades, IReadOnlyList<double[]> seeds)
    {
        if (decades.Distinct().Count() < 4)
            return "";
        double[] bends = [.. seeds.Select(values => PolynomialFit.Of(decades, values, degree: 2).Coefficients[2])];
        var (bend, reach) = (bends.Average(), decades.Max() - decades.Min());
        var outcome = Noise.Judge(Math.Abs(bend), bends);
        return outcome == Outcome.Reproduced
            ? Invariant(
                $" The points bend: a parabola has {Spread(bends)} per squared decade, so the slope changes by {Signed(2 * bend * reach)} from the smallest to the largest."
            )
            : Invariant($" No bend beyond the noise ({Spread(bends)} per squared decade).");
    }

    private static Verdict? BestArm(StudyData data, StudySetting setting, BestArmClaim claim)
    {
        var arms = data.Arms(setting, claim.Arms, claim.Measure)
            .OrderBy(arm => data.Statistics(setting.Name, arm.Name, claim.Measure)!.Mean)
            .ToList();
        if (arms.Count < 2 || arms.All(arm => arm.Name != claim.Best))
            return null;
        var others = arms.Where(arm => arm.Name != claim.Best)
            .Select(arm => data.Difference(setting.Name, claim.Best, arm.Name, claim.Measure))
            .OfType<PairedDifference>()
            .Select(difference =>
                Noise.Judge(-difference.Mean, difference.PerSeed, data.UsualDeviation(setting, difference.Baseline, claim.Measure))
            );
        return new Verdict(
            claim,
            setting.Name,
            Noise.Weakest(others),
            $"From best to worst: {string.Join(", ", arms.Select(arm => $"{arm.Name} {Number(data.Statistics(setting.Name, arm.Name, claim.Measure)!.Mean)}"))}."
        );
    }

    private static Verdict? Level(StudyData data, StudySetting setting, LevelClaim claim)
    {
        var values = data.Seeds(setting.Name, claim.Arm, claim.Measure)
            .Where(seed => claim.PercentOf is null || data.Seeds(setting.Name, claim.Arm, claim.PercentOf).ContainsKey(seed.Key))
            .Select(seed =>
                claim.PercentOf is null ? seed.Value : 100 * seed.Value / data.Seeds(setting.Name, claim.Arm, claim.PercentOf)[seed.Key]
            )
            .ToList();
        if (values.Count == 0)
            return null;
        var verdict = AgainstLevel(
            claim,
            setting,
            claim.PercentOf is { } whole
                ? $"{claim.Arm}, {MeasureWords.Of(claim.Measure)}, in percent of {MeasureWords.Of(whole)}"
                : $"{claim.Arm}, {MeasureWords.Of(claim.Measure)}",
            values,
            claim.Above,
            claim.Below,
            claim.PercentOf is null ? "" : " %"
        );
        return claim.PercentOf is { } score && data.Statistics(setting.Name, claim.Arm, score) is { } all && all.Mean < claim.LeastWhole
            ? verdict with
            {
                Outcome = Outcome.Undecided,
                Sentence =
                    $"{verdict.Sentence[..^1]}; of a score of {Number(all.Mean)} a share says nothing ({Number(claim.LeastWhole)} is asked for).",
            }
            : verdict;
    }

    private static Verdict? Share(StudyData data, StudySetting setting, ShareClaim claim)
    {
        IReadOnlyDictionary<long, double> Of(string arm) => data.Seeds(setting.Name, arm, claim.Measure);
        var (arm, whole, none) = (Of(claim.Arm), Of(claim.Whole), Of(claim.None));
        var values = arm
            .Keys.Where(seed => whole.ContainsKey(seed) && none.ContainsKey(seed))
            .Select(seed => 100 * (arm[seed] - none[seed]) / (whole[seed] - none[seed]))
            .ToList();
        return values.Count == 0
            ? null
            : AgainstLevel(
                claim,
                setting,
                $"{claim.Arm} keeps, of what {claim.Whole} gains over {claim.None}",
                values,
                claim.Above,
                claim.Below,
                " %"
            );
    }

    private static Verdict AgainstLevel(
        StudyClaim claim,
        StudySetting setting,
        string what,
        IReadOnlyList<double> values,
        double? least,
        double? most,
        string unit
    )
    {
        var statistics = SeedStatistics.Of(values);
        string Value(double value) => unit.Length > 0 ? Invariant($"{value:0.0}") : Number(value);
        var (level, sign) = least is { } above ? (above, 1) : (most ?? 0, -1);
        return new Verdict(
            claim,
            setting.Name,
            Noise.Judge(sign * (statistics.Mean - level), values),
            $"{what}: {Value(statistics.Mean)}{(statistics.StandardDeviation is { } spread ? $" ± {Value(spread)}" : "")}{unit} ({Count(values.Count)}); {(sign > 0 ? "more" : "less")} than {level.ToString("0.###", CultureInfo.InvariantCulture)}{unit} is claimed."
        );
    }

    /// <summary>Mean and standard deviation of a number that every seed has.</summary>
    private static string Spread(IReadOnlyList<double> seeds)
    {
        var statistics = SeedStatistics.Of(seeds);
        return statistics.StandardDeviation is { } deviation ? $"{Signed(statistics.Mean)} ± {Number(deviation)}" : Signed(statistics.Mean);
    }

    private static string Count(int seeds) => seeds == 1 ? "one seed" : $"{seeds} seeds";

    /// <summary>A difference with its spread.</summary>
    internal static string Describe(PairedDifference difference) =>
        difference.StandardDeviation is { } deviation
            ? $"{Signed(difference.Mean)} ± {Number(deviation)} ({Count(difference.PerSeed.Count)})"
            : $"{Signed(difference.Mean)} ({Count(1)})";

    /// <summary>A difference with its sign.</summary>
    internal static string Signed(double value) => value.ToString("+0.000;−0.000;0.000", CultureInfo.InvariantCulture);

    /// <summary>A value in three decimals, or in none where it is large.</summary>
    internal static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "N0" : "0.000", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

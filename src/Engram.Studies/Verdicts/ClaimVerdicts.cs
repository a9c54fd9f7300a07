using System.Globalization;
using Engram.Studies.Definitions;
using Engram.Studies.Statistics;

namespace Engram.Studies.Verdicts;

/// <summary>
/// Judges claims by the numbers alone. Noise is twice the standard deviation, over the seeds, of what is compared (differences are paired
/// by seed); one seed decides nothing.
/// </summary>
internal static class ClaimVerdicts
{
    private const double Spreads = 2;

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
        var (sign, words) = (claim.Above ? 1 : -1, $"{claim.Arm} less {claim.Baseline}: {Describe(difference)}");
        if (difference.StandardDeviation is not { } deviation)
            return new Verdict(claim, setting.Name, Outcome.WithinNoise, $"{words}. One seed decides nothing.");
        var directed = sign * difference.Mean;
        var outcome =
            Math.Abs(directed) <= Spreads * deviation ? Outcome.WithinNoise
            : directed >= claim.AtLeast && directed > 0 ? Outcome.Reproduced
            : Outcome.NotReproduced;
        return new Verdict(
            claim,
            setting.Name,
            outcome,
            claim.AtLeast > 0 ? $"{words}; at least {Number(claim.AtLeast)} was asked for." : $"{words}."
        );
    }

    private static Verdict? InteriorMinimum(StudyData data, StudySetting setting, InteriorMinimumClaim claim)
    {
        var arms = data.Arms(setting, claim.Arms, claim.Measure).OrderBy(arm => data.Position(setting, arm, "rho")).ToList();
        if (arms.Count < 3)
            return null;
        var lowest = arms.MinBy(arm => data.Statistics(setting.Name, arm.Name, claim.Measure)!.Mean)!;
        var ends = new[] { arms[0], arms[^1] }.Select(end => data.Difference(setting.Name, lowest.Name, end.Name, claim.Measure)!).ToList();
        var where = Minimum(data, setting, claim.Arms, claim.Measure) is { } fitted
            ? $"the quadratic has its minimum at {fitted.X:0} ± {fitted.StandardError:0} %"
            : "the quadratic has no minimum";
        var words =
            $"Lowest measured at {data.Position(setting, lowest, "rho"):0} % experts; {where} (published: {claim.PaperFrom:0} to {claim.PaperTo:0} %)";
        if (lowest == arms[0] || lowest == arms[^1])
        {
            var neighbour = lowest == arms[0] ? arms[1] : arms[^2];
            var step = data.Difference(setting.Name, lowest.Name, neighbour.Name, claim.Measure)!;
            var decided = step.StandardDeviation is { } deviation && Math.Abs(step.Mean) > Spreads * deviation;
            return new Verdict(
                claim,
                setting.Name,
                decided ? Outcome.NotReproduced : Outcome.WithinNoise,
                $"{words}. That is an end of the curve, {Describe(step)} from the next point."
            );
        }
        var inside = ends.All(end => end.StandardDeviation is { } deviation && end.Mean < -Spreads * deviation);
        return new Verdict(
            claim,
            setting.Name,
            inside ? Outcome.Reproduced : Outcome.WithinNoise,
            $"{words}. Against the ends: {string.Join("; ", ends.Select(end => $"{end.Baseline} {Describe(end)}"))}."
        );
    }

    private static Verdict MinimumMoves(StudyData data, MinimumMovesClaim claim)
    {
        var minima = claim
            .Order.Select(name => data.Settings.SingleOrDefault(setting => setting.Name == name))
            .OfType<StudySetting>()
            .Select(setting => (setting.Name, Minimum: Minimum(data, setting, claim.Arms, claim.Measure)))
            .Where(entry => entry.Minimum is not null)
            .ToList();
        if (minima.Count < 2)
            return new Verdict(claim, "", Outcome.NotMeasured, "Fewer than two of the settings have a curve with a fitted minimum.");
        var words = string.Join(
            ", ",
            minima.Select(entry => $"{entry.Name} {entry.Minimum!.Value.X:0} ± {entry.Minimum.Value.StandardError:0} %")
        );
        var (first, last) = (minima[0].Minimum!.Value, minima[^1].Minimum!.Value);
        var (rise, noise) = (
            last.X - first.X,
            Spreads * Math.Sqrt((first.StandardError * first.StandardError) + (last.StandardError * last.StandardError))
        );
        var outcome =
            Math.Abs(rise) <= noise ? Outcome.WithinNoise
            : rise > 0 ? Outcome.Reproduced
            : Outcome.NotReproduced;
        return new Verdict(claim, "", outcome, $"Fitted minima: {words}; the change is {rise:+0;−0;0} points with a noise of {noise:0}.");
    }

    private static Verdict? LogLinear(StudyData data, StudySetting setting, LogLinearClaim claim)
    {
        var points = data.Arms(setting, claim.Arms, claim.Measure)
            .Where(arm => data.Position(setting, arm, "memory") > 0)
            .Select(arm =>
                (X: Math.Log10(data.Position(setting, arm, "memory")), Y: data.Statistics(setting.Name, arm.Name, claim.Measure)!.Mean)
            )
            .ToList();
        if (points.Count < 3)
            return null;
        var fit = PolynomialFit.Of([.. points.Select(point => point.X)], [.. points.Select(point => point.Y)], degree: 1);
        var (slope, error) = (fit.Coefficients[1], fit.StandardError(1));
        var outcome =
            fit.R2 >= claim.LeastR2 && slope < -Spreads * error ? Outcome.Reproduced
            : slope >= 0 || fit.R2 < claim.LeastR2 ? Outcome.NotReproduced
            : Outcome.WithinNoise;
        return new Verdict(
            claim,
            setting.Name,
            outcome,
            Invariant(
                $"{points.Count} sizes over {points.Max(point => point.X) - points.Min(point => point.X):0.0} decades: {Signed(slope)} ± {error:0.000} nats per decade (published {Signed(claim.PaperSlope)}), R² {fit.R2:0.000}, asked for {claim.LeastR2:0.00}."
            )
        );
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
            .ToList();
        bool Beyond(PairedDifference difference, int sign) =>
            difference.StandardDeviation is { } deviation && sign * difference.Mean > Spreads * deviation;
        var outcome =
            others.Any(other => Beyond(other, 1)) ? Outcome.NotReproduced
            : others.All(other => Beyond(other, -1)) ? Outcome.Reproduced
            : Outcome.WithinNoise;
        return new Verdict(
            claim,
            setting.Name,
            outcome,
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
        var statistics = SeedStatistics.Of(values);
        var (level, sign) = claim.Above is { } above ? (above, 1) : (claim.Below ?? 0, -1);
        var distance = sign * (statistics.Mean - level);
        var outcome =
            statistics.StandardDeviation is not { } deviation || Math.Abs(distance) <= Spreads * deviation ? Outcome.WithinNoise
            : distance > 0 ? Outcome.Reproduced
            : Outcome.NotReproduced;
        var unit = claim.PercentOf is null ? "" : " %";
        return new Verdict(
            claim,
            setting.Name,
            outcome,
            $"{claim.Arm}: {Number(statistics.Mean)}{unit}{(statistics.StandardDeviation is { } spread ? $" ± {Number(spread)}" : ", one seed")}; claimed {(sign > 0 ? "above" : "below")} {Number(level)}{unit}."
        );
    }

    /// <summary>
    /// The minimum of the parabola through all measured points of a curve over the share of experts; null where there is none.
    /// </summary>
    internal static (double X, double StandardError)? Minimum(
        StudyData data,
        StudySetting setting,
        IReadOnlyList<string> patterns,
        string measure
    )
    {
        var points = data.Arms(setting, patterns, measure)
            .SelectMany(arm =>
                data.Seeds(setting.Name, arm.Name, measure).Values.Select(value => (X: data.Position(setting, arm, "rho"), Y: value))
            )
            .ToList();
        return points.Select(point => point.X).Distinct().Count() < 4
            ? null
            : PolynomialFit.Of([.. points.Select(point => point.X)], [.. points.Select(point => point.Y)], degree: 2).Minimum();
    }

    /// <summary>A difference with its spread.</summary>
    internal static string Describe(PairedDifference difference) =>
        difference.StandardDeviation is { } deviation
            ? $"{Signed(difference.Mean)} ± {Number(deviation)} ({difference.PerSeed.Count} seeds)"
            : $"{Signed(difference.Mean)} (one seed)";

    /// <summary>A difference with its sign.</summary>
    internal static string Signed(double value) => value.ToString("+0.000;−0.000;0.000", CultureInfo.InvariantCulture);

    /// <summary>A value in three decimals, or in none where it is large.</summary>
    internal static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "N0" : "0.000", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

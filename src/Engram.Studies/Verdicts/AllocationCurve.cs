using System.Globalization;
using Engram.Studies.Definitions;
using Engram.Studies.Statistics;

namespace Engram.Studies.Verdicts;

/// <summary>
/// Losses over the share of experts, and where their minimum can lie: the points that are not above the lowest one by more than the noise.
/// A parabola says it more sharply, but only where it passes through the points: through a flat part and a step its minimum is a property
/// of where the points are, not of the losses.
/// </summary>
internal sealed class AllocationCurve
{
    private AllocationCurve(double from, double to, int seeds, double misfit, double noise, SeedStatistics? fitted) =>
        (From, To, Seeds, Misfit, PointNoise, Fitted) = (from, to, seeds, misfit, noise, fitted);

    /// <summary>Smallest share, in percent, that may have the lowest loss.</summary>
    public double From { get; }

    /// <summary>Largest.</summary>
    public double To { get; }

    /// <summary>Seeds that have all points.</summary>
    public int Seeds { get; }

    /// <summary>Largest distance of a mean from the parabola through the means, nats.</summary>
    public double Misfit { get; }

    /// <summary>Standard deviation of a point over the seeds, what each seed has on all points taken away, nats.</summary>
    public double PointNoise { get; }

    /// <summary>Minima of the parabolas of the seeds; null where the parabola misses the points, or a seed's has no minimum.</summary>
    public SeedStatistics? Fitted { get; }

    /// <summary>Where the minimum lies, in words.</summary>
    public string Words
    {
        get
        {
            if (Seeds < Noise.LeastSeeds)
                return $"fewer than {Noise.LeastSeeds} seeds have all points, so that their noise is not known";
            var where =
                From == To
                    ? Invariant($"only {From:0} % experts is within the noise of the lowest point")
                    : Invariant($"{From:0} to {To:0} % experts are within the noise of the lowest point");
            var parabola = Fitted is { } fitted
                ? Invariant($"the parabola has its minimum at {fitted.Mean:0} ± {fitted.StandardDeviation:0} %")
                : Invariant($"no parabola passes through the points (it misses one by {Misfit:0.000}, their noise is {PointNoise:0.000})");
            return $"{where}, {parabola}";
        }
    }

    /// <summary>Looks at the seeds that have every measured point.</summary>
    /// <returns>Null with fewer than four points, or without a seed that has all.</returns>
    public static AllocationCurve? Of(StudyData data, StudySetting setting, IReadOnlyList<string> patterns, string measure)
    {
        var arms = data.Arms(setting, patterns, measure).OrderBy(arm => data.Position(setting, arm, "rho")).ToList();
        var seeds = data.CommonSeeds(setting, arms, measure);
        if (arms.Count < 4 || seeds.Count == 0)
            return null;
        double[] x = [.. arms.Select(arm => data.Position(setting, arm, "rho"))];
        return Of(x, [.. seeds.Select(seed => arms.Select(arm => data.Seeds(setting.Name, arm.Name, measure)[seed]).ToArray())]);
    }

    /// <summary>The same of plain numbers.</summary>
    /// <param name="x">Shares of experts, percent, ascending.</param>
    /// <param name="bySeed">One loss per share, for every seed.</param>
    internal static AllocationCurve Of(double[] x, IReadOnlyList<double[]> bySeed)
    {
        double[] means = [.. Enumerable.Range(0, x.Length).Select(i => bySeed.Average(values => values[i]))];
        var lowest = Array.IndexOf(means, means.Min());
        bool CanBeLowest(int i) =>
            Noise.Judge(means[i] - means[lowest], [.. bySeed.Select(values => values[i] - values[lowest])]) != Outcome.Reproduced;
        var candidates = Enumerable.Range(0, x.Length).Where(CanBeLowest).ToList();
        var parabola = PolynomialFit.Of(x, means, degree: 2);
        var misfit = x.Zip(means).Max(point => Math.Abs(point.Second - parabola.At(point.First)));
        // What is left of a value when the mean of its point and the offset of its seed are taken away.
        var (grand, free) = (means.Average(), (x.Length - 1) * (bySeed.Count - 1));
        var squares = bySeed.Sum(values =>
            Enumerable.Range(0, x.Length).Sum(i => Math.Pow(values[i] - means[i] - (values.Average() - grand), 2))
        );
        var noise = free > 0 ? Math.Sqrt(squares / free) : 0;
        var minima = bySeed.Select(values => PolynomialFit.Of(x, values, degree: 2).Minimum()).ToList();
        var fits = bySeed.Count >= Noise.LeastSeeds && misfit <= 2 * noise && minima.All(minimum => minimum is not null);
        return new AllocationCurve(
            x[candidates[0]],
            x[candidates[^1]],
            bySeed.Count,
            misfit,
            noise,
            fits ? SeedStatistics.Of([.. minima.Select(minimum => minimum!.Value)]) : null
        );
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

namespace Engram.Studies.Statistics;

/// <summary>A value measured with several seeds.</summary>
/// <param name="Mean">Arithmetic mean.</param>
/// <param name="StandardDeviation">Of the sample (divided by n − 1); null for one seed.</param>
public sealed record SeedStatistics(double Mean, double? StandardDeviation)
{
    /// <summary>Summarises one value per seed.</summary>
    /// <exception cref="ArgumentException">There are none.</exception>
    public static SeedStatistics Of(IReadOnlyList<double> values)
    {
        if (values.Count == 0)
            throw new ArgumentException("There are no values to summarise.", nameof(values));
        var mean = values.Average();
        double? deviation = values.Count > 1 ? Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1)) : null;
        return new SeedStatistics(mean, deviation);
    }
}

/// <summary>How an arm differs from another one trained with the same seeds, hence the same data order.</summary>
/// <param name="Arm">The arm in question.</param>
/// <param name="Baseline">What it is compared with.</param>
/// <param name="PerSeed">Arm less baseline for each seed, nats: below 0 the arm is better.</param>
/// <param name="Mean">Mean of the differences.</param>
/// <param name="StandardDeviation">Of the differences (divided by n − 1); null for one seed.</param>
public sealed record PairedDifference(string Arm, string Baseline, IReadOnlyList<double> PerSeed, double Mean, double? StandardDeviation)
{
    /// <summary>Compares two arms seed by seed.</summary>
    /// <param name="arm">The arm in question.</param>
    /// <param name="armLosses">Its losses, one per seed.</param>
    /// <param name="baseline">What it is compared with.</param>
    /// <param name="baselineLosses">Losses of the same seeds in the same order.</param>
    /// <exception cref="ArgumentException">The numbers of seeds differ.</exception>
    public static PairedDifference Of(string arm, IReadOnlyList<double> armLosses, string baseline, IReadOnlyList<double> baselineLosses)
    {
        if (armLosses.Count != baselineLosses.Count)
            throw new ArgumentException(
                $"{arm} has {armLosses.Count} seeds, {baseline} has {baselineLosses.Count}: only seeds that both have can be paired."
            );
        double[] differences = [.. armLosses.Zip(baselineLosses, (value, reference) => value - reference)];
        var (mean, deviation) = SeedStatistics.Of(differences);
        return new PairedDifference(arm, baseline, differences, mean, deviation);
    }
}

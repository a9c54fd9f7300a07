namespace Engram.Evaluation.Metrics;

/// <summary>One item with and without something that was taken from a model.</summary>
/// <param name="Full">Its score with everything.</param>
/// <param name="Less">Its score without.</param>
/// <param name="Chance">What a guesser is expected to score.</param>
/// <param name="Cluster">
/// What it has in common with other items, which are not independent of it, such as the fact that they ask for; null: nothing.
/// </param>
public readonly record struct PairedItem(double Full, double Less, double Chance, string? Cluster = null);

/// <summary>
/// What share of a score survives when something is taken from a model, on the same items: less/full, and corrected for chance
/// (less − chance)/(full − chance).
/// </summary>
/// <param name="Full">Score with everything.</param>
/// <param name="Less">Score without.</param>
/// <param name="Chance">Score of a guesser.</param>
/// <param name="Share">Retained share; null where the full score is not above 0.</param>
/// <param name="ShareError">Its standard error; null where an error of a part is unknown.</param>
/// <param name="AboveChance">Retained share corrected for chance; null where the full score is not above chance.</param>
/// <param name="AboveChanceError">Its standard error.</param>
/// <param name="Items">Pairs.</param>
public sealed record RetainedShare(
    double Full,
    double Less,
    double Chance,
    double? Share,
    double? ShareError,
    double? AboveChance,
    double? AboveChanceError,
    int Items
)
{
    /// <summary>The retained share of a task, or of several together.</summary>
    /// <remarks>
    /// A ratio of means a/b of paired items has, to first order, the variance of the mean of aᵢ − (a/b)·bᵢ over b² (delta method; Cochran,
    /// Sampling Techniques, 1977, §6.3), over groups of items where these belong together. Parts are independent strata; each variance is
    /// that of a sample (n − 1).
    /// </remarks>
    /// <param name="parts">Items of each task, none of them empty.</param>
    /// <param name="weightBySize">Whether items count alike, or else parts.</param>
    /// <exception cref="ArgumentException">There is no part, or one is empty.</exception>
    public static RetainedShare Of(IReadOnlyList<IReadOnlyList<PairedItem>> parts, bool weightBySize)
    {
        if (parts.Count == 0 || parts.Any(part => part.Count == 0))
            throw new ArgumentException("No items retain no share.", nameof(parts));
        var items = parts.Sum(part => part.Count);
        double[] weights = [.. parts.Select(part => weightBySize ? (double)part.Count / items : 1.0 / parts.Count)];
        var (full, less, chance) = (Mean(item => item.Full), Mean(item => item.Less), Mean(item => item.Chance));
        var (share, shareError) = Ratio(item => item.Less, item => item.Full);
        var (above, aboveError) = Ratio(item => item.Less - item.Chance, item => item.Full - item.Chance);
        return new(full, less, chance, share, shareError, above, aboveError, items);

        double Mean(Func<PairedItem, double> of) => parts.Select((part, k) => weights[k] * part.Average(of)).Sum();

        (double? Value, double? Error) Ratio(Func<PairedItem, double> above, Func<PairedItem, double> below)
        {
            var whole = Mean(below);
            if (whole < 1e-9) // sums of chances are not exact
                return (null, null);
            var ratio = Mean(above) / whole;
            var variance = 0.0;
            for (var k = 0; k < parts.Count; k++)
            {
                var error = Estimate
                    .OfMean(
                        [.. parts[k].Select(item => above(item) - ratio * below(item))],
                        [.. parts[k].Select((item, i) => (item.Cluster, item.Cluster is null ? i : 0))]
                    )
                    .StandardError;
                if (double.IsNaN(error))
                    return (ratio, null);
                variance += weights[k] * weights[k] * error * error;
            }
            return (ratio, Math.Sqrt(variance) / whole);
        }
    }
}

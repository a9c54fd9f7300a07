namespace Engram.Evaluation.Metrics;

/// <summary>Standard errors and intervals by drawing items again, with replacement (Efron 1979). Same seed, same numbers.</summary>
public static class Bootstrap
{
    /// <summary>How often items are drawn unless told.</summary>
    public const int Resamples = 1000;

    /// <summary>The standard deviation of a statistic over resamples.</summary>
    /// <param name="items">How many items there are; at least 1.</param>
    /// <param name="statistic">The statistic of drawn items, given by their indices.</param>
    /// <param name="seed">Decides the draws.</param>
    /// <param name="resamples">How many draws; at least 2.</param>
    public static double StandardError(int items, Func<ReadOnlySpan<int>, double> statistic, int seed, int resamples = Resamples)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(items, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 2);
        return Deviation(Draw(items, statistic, seed, resamples));
    }

    /// <summary>
    /// The difference between two models on the same items, whose pairs are drawn together (paired bootstrap; Koehn 2004), and with them
    /// the others of their group.
    /// </summary>
    /// <param name="one">Scores of the first model, an item each.</param>
    /// <param name="other">Scores of the second, the same items in the same order.</param>
    /// <param name="seed">Decides the draws.</param>
    /// <param name="resamples">How many draws; at least 2.</param>
    /// <param name="clusters">
    /// For each item what it has in common with others that are not independent of it, or null; null: all are independent.
    /// </param>
    /// <exception cref="ArgumentException">The lists differ in length or are empty.</exception>
    public static PairedDifference Compare(
        IReadOnlyList<double> one,
        IReadOnlyList<double> other,
        int seed,
        int resamples = Resamples,
        IReadOnlyList<string?>? clusters = null
    ) => Compare([new PairedScores(one, other, clusters)], weightBySize: true, seed, resamples);

    /// <summary>
    /// The same for several tasks together: items are drawn within each, and the means weighed as the group's score weighs them.
    /// </summary>
    /// <param name="parts">Scores of each task.</param>
    /// <param name="weightBySize">Whether items count alike, or else parts.</param>
    /// <param name="seed">Decides the draws.</param>
    /// <param name="resamples">How many draws; at least 2.</param>
    /// <exception cref="ArgumentException">There is no part, or lists of one differ in length or are empty.</exception>
    public static PairedDifference Compare(IReadOnlyList<PairedScores> parts, bool weightBySize, int seed, int resamples = Resamples)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 2);
        if (parts.Count == 0)
            throw new ArgumentException("A difference over no tasks does not exist.", nameof(parts));
        var items = parts.Sum(part => part.One.Count);
        Stratum[] strata = [.. parts.Select(part => new Stratum(part, weightBySize ? (double)part.One.Count / items : 1.0 / parts.Count))];
        var random = new Random(seed);
        var drawn = new double[resamples];
        for (var draw = 0; draw < resamples; draw++)
            foreach (var stratum in strata)
                drawn[draw] += stratum.Draw(random);
        var standardError = Deviation(drawn);
        var notAbove = drawn.Count(value => value <= 0);
        var notBelow = drawn.Count(value => value >= 0);
        Array.Sort(drawn);
        return new(
            strata.Sum(stratum => stratum.Difference),
            standardError,
            Quantile(drawn, 0.025),
            Quantile(drawn, 0.975),
            Math.Min(1, 2.0 * (Math.Min(notAbove, notBelow) + 1) / (resamples + 1)),
            items
        );
    }

    private static double[] Draw(int items, Func<ReadOnlySpan<int>, double> statistic, int seed, int resamples)
    {
        var random = new Random(seed);
        var indices = new int[items];
        var values = new double[resamples];
        for (var draw = 0; draw < resamples; draw++)
        {
            for (var i = 0; i < items; i++)
                indices[i] = random.Next(items);
            values[draw] = statistic(indices);
        }
        return values;
    }

    private static double Deviation(double[] values)
    {
        var mean = values.Sum() / values.Length;
        return Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1));
    }

    /// <summary>Linear between the neighbours of the sorted values.</summary>
    private static double Quantile(double[] sorted, double share)
    {
        var at = share * (sorted.Length - 1);
        var low = (int)at;
        return low + 1 == sorted.Length ? sorted[low] : sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]);
    }

    /// <summary>Differences of one task's items, summed over those that are drawn together.</summary>
    private sealed class Stratum
    {
        private readonly (double Sum, int Count)[] _groups;
        private readonly double _weight;

        public Stratum(PairedScores scores, double weight)
        {
            var (one, other, clusters) = scores;
            if (one.Count != other.Count || one.Count == 0)
                throw new ArgumentException(
                    $"Only scores of the same items can be compared; there are {one.Count} and {other.Count}.",
                    nameof(scores)
                );
            if (clusters is not null && clusters.Count != one.Count)
                throw new ArgumentException($"There are {one.Count} items, and the groups of {clusters.Count}.", nameof(scores));
            double[] differences = [.. one.Zip(other, (a, b) => a - b)];
            _weight = weight;
            _groups =
            [
                .. differences
                    .Select((difference, i) => (Difference: difference, Group: clusters?[i] is { } cluster ? (cluster, 0) : ("", i + 1)))
                    .GroupBy(item => item.Group, item => item.Difference)
                    .Select(group => (group.Sum(), group.Count())),
            ];
            Difference = weight * (differences.Sum() / differences.Length);
        }

        /// <summary>What the task adds to the difference.</summary>
        public double Difference { get; }

        /// <summary>The same of items that are drawn again.</summary>
        public double Draw(Random random)
        {
            var (sum, count) = (0.0, 0L);
            for (var i = 0; i < _groups.Length; i++)
            {
                var group = _groups[random.Next(_groups.Length)];
                (sum, count) = (sum + group.Sum, count + group.Count);
            }
            return _weight * (sum / count);
        }
    }
}

/// <summary>Scores of two models on the items of a task.</summary>
/// <param name="One">Scores of the first model, an item each.</param>
/// <param name="Other">Scores of the second, the same items in the same order.</param>
/// <param name="Clusters">
/// For each item what it has in common with others that are not independent of it, or null; null: all are independent.
/// </param>
public readonly record struct PairedScores(IReadOnlyList<double> One, IReadOnlyList<double> Other, IReadOnlyList<string?>? Clusters = null);

/// <summary>How much better one model is than another on the same items.</summary>
/// <param name="Difference">Mean of first minus second.</param>
/// <param name="StandardError">Standard deviation of that mean over resamples.</param>
/// <param name="Low">Lower end of the 95 % interval (2.5 % quantile of the resamples).</param>
/// <param name="High">Upper end.</param>
/// <param name="PValue">
/// Twice the share of resamples on the other side of 0, with one added to count and number so that it is never 0; at most 1.
/// </param>
/// <param name="Items">How many items were compared.</param>
public readonly record struct PairedDifference(double Difference, double StandardError, double Low, double High, double PValue, int Items);

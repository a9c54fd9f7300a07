namespace Engram.Corpora.World;

/// <summary>How often things are stated.</summary>
public static class Frequencies
{
    /// <summary>
    /// Divides a number of statements among ranks in proportion to (rank + 1)^−exponent: everyone gets one, the others go by the largest
    /// remainders, so that the sum is exact.
    /// </summary>
    /// <param name="count">Ranks, at least 1.</param>
    /// <param name="exponent">Zipf's exponent, at least 0.</param>
    /// <param name="total">Statements, at least <paramref name="count"/>.</param>
    /// <returns>Statements by rank, never rising.</returns>
    public static long[] Zipf(int count, double exponent, long total)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(total, count);
        var weights = new double[count];
        for (var rank = 0; rank < count; rank++)
            weights[rank] = Math.Pow(rank + 1, -exponent);
        // Ranks that would get less than one get one; the rest shares what is left, until nobody is below one.
        var (head, sum) = (count, weights.Sum());
        while (head > 1 && weights[head - 1] / sum * (total - (count - head)) < 1)
            sum -= weights[--head];
        var shares = new double[count];
        var counts = new long[count];
        for (var rank = 0; rank < count; rank++)
        {
            shares[rank] = rank < head ? weights[rank] / sum * (total - (count - head)) : 1;
            counts[rank] = Math.Max(1, (long)shares[rank]);
        }

        var left = total - counts.Sum();
        foreach (
            var rank in Enumerable
                .Range(0, head)
                .OrderByDescending(rank => shares[rank] - counts[rank])
                .ThenBy(rank => rank)
                .Take((int)Math.Max(0, left))
        )
            counts[rank]++;
        // Remainders of neighbours may cross.
        Array.Sort(counts);
        Array.Reverse(counts);
        return counts;
    }

    /// <summary>
    /// What the one at an index gets of a number of statements that are divided evenly: all alike, but for a remainder that goes to the
    /// first.
    /// </summary>
    /// <param name="total">Statements.</param>
    /// <param name="count">Those who share them, at least 1.</param>
    /// <param name="index">Below <paramref name="count"/>.</param>
    public static long Even(long total, int count, int index) => total / count + (index < total % count ? 1 : 0);

    /// <summary>
    /// The exponent that makes counts by rank most likely: Σ n_q·ln q weighed against its expectation, solved by bisection.
    /// </summary>
    /// <param name="counts">Statements by rank, two ranks or more.</param>
    public static double Exponent(IReadOnlyList<long> counts)
    {
        ArgumentNullException.ThrowIfNull(counts);
        ArgumentOutOfRangeException.ThrowIfLessThan(counts.Count, 2, nameof(counts));
        var logs = Enumerable.Range(1, counts.Count).Select(rank => Math.Log(rank)).ToArray();
        var observed = counts.Select((count, i) => count * logs[i]).Sum() / counts.Sum();
        var (low, high) = (-1.0, 8.0);
        for (var step = 0; step < 60; step++)
        {
            var middle = (low + high) / 2;
            var weights = logs.Select(log => Math.Exp(-middle * log)).ToArray();
            var expected = weights.Select((weight, i) => weight * logs[i]).Sum() / weights.Sum();
            // The steeper, the smaller the ranks.
            if (expected > observed)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;
    }

    /// <summary>The band that a number of statements belongs to: powers of four.</summary>
    public static string Band(long exposures)
    {
        if (exposures >= 4096)
            return "4096+";
        var low = 1L;
        while (low * 4 <= exposures)
            low *= 4;
        return exposures < 1 ? "0" : $"{low}-{low * 4 - 1}";
    }
}

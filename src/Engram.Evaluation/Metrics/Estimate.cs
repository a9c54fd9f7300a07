namespace Engram.Evaluation.Metrics;

/// <summary>A score and how exactly the items determine it.</summary>
/// <param name="Value">The score.</param>
/// <param name="StandardError">Its standard error over items; not a number where there are fewer than two.</param>
/// <param name="Items">How many items it comes from.</param>
public readonly record struct Estimate(double Value, double StandardError, int Items)
{
    /// <summary>
    /// The mean over items with the closed form: sample standard deviation (n − 1) over √n, as lm-evaluation-harness's <c>mean_stderr</c>;
    /// for a share p that is √(p(1 − p)/(n − 1)).
    /// </summary>
    /// <exception cref="ArgumentException">There are no items.</exception>
    public static Estimate OfMean(IReadOnlyList<double> scores)
    {
        if (scores.Count == 0)
            throw new ArgumentException("A mean of no items does not exist.", nameof(scores));
        var mean = scores.Sum() / scores.Count;
        var squares = 0.0;
        foreach (var score in scores)
            squares += (score - mean) * (score - mean);
        return new(mean, scores.Count < 2 ? double.NaN : Math.Sqrt(squares / (scores.Count - 1) / scores.Count), scores.Count);
    }

    /// <summary>
    /// The mean over items of which several belong together, such as questions about one fact: the standard error takes the groups as
    /// independent, not the items. With the deviations of a group's items from the mean summed to dᵍ it is √(G/(G − 1)·Σ dᵍ²)/n (Liang and
    /// Zeger 1986, Biometrika 73; Miller 2024, arXiv 2411.00640, for evaluations); with groups of one it is that of
    /// <see cref="OfMean(IReadOnlyList{double})"/>.
    /// </summary>
    /// <param name="scores">Scores of the items.</param>
    /// <param name="clusters">For each item the group that it belongs to.</param>
    /// <exception cref="ArgumentException">There are no items, or not as many groups as items.</exception>
    public static Estimate OfMean<T>(IReadOnlyList<double> scores, IReadOnlyList<T> clusters)
    {
        if (scores.Count == 0 || clusters.Count != scores.Count)
            throw new ArgumentException($"A mean of {scores.Count} items in {clusters.Count} groups does not exist.", nameof(scores));
        var mean = scores.Sum() / scores.Count;
        double[] deviations = [.. scores.Zip(clusters).GroupBy(item => item.Second).Select(group => group.Sum(item => item.First - mean))];
        var (groups, squares) = ((double)deviations.Length, deviations.Sum(deviation => deviation * deviation));
        return new(mean, groups < 2 ? double.NaN : Math.Sqrt(groups / (groups - 1) * squares) / scores.Count, scores.Count);
    }

    /// <summary>
    /// The score of a group from those of its parts. Weighted by size it is the mean over all items (micro); unweighted the mean over parts
    /// (macro).
    /// </summary>
    /// <remarks>
    /// Weighted, the standard error is lm-evaluation-harness's <c>pooled_sample_stderr</c>: √( Σ(nᵢ−1)·nᵢ·seᵢ² / (Σnᵢ − parts) / Σnᵢ ).
    /// Unweighted it is √(Σseᵢ²)/parts, the error of a mean of independent parts; the harness prints the pooled one there too.
    /// </remarks>
    /// <exception cref="ArgumentException">There are no parts.</exception>
    public static Estimate OfGroup(IReadOnlyList<Estimate> parts, bool weightBySize)
    {
        if (parts.Count == 0)
            throw new ArgumentException("A mean of no tasks does not exist.", nameof(parts));
        var items = parts.Sum(part => part.Items);
        if (!weightBySize)
            return new(
                parts.Sum(part => part.Value) / parts.Count,
                Math.Sqrt(parts.Sum(part => part.StandardError * part.StandardError)) / parts.Count,
                items
            );
        var value = parts.Sum(part => part.Value * part.Items) / items;
        var variance =
            parts.Where(part => part.Items > 1).Sum(part => (part.Items - 1.0) * part.Items * part.StandardError * part.StandardError)
            / (items - parts.Count);
        return new(value, Math.Sqrt(variance / items), items);
    }
}

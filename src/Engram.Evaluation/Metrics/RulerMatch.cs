namespace Engram.Evaluation.Metrics;

/// <summary>How an answer is compared with the references.</summary>
internal enum RulerMetric
{
    /// <summary>The share of references that occur in the answer.</summary>
    All,

    /// <summary>Whether any of them does.</summary>
    Any,
}

/// <summary>
/// RULER's comparison (Hsieh et al. 2024, <c>scripts/eval/synthetic/constants.py</c>): references are looked for, case is ignored.
/// </summary>
internal static class RulerMatch
{
    /// <summary>The share of the references that occur in the answer, or 1 if any does, else 0.</summary>
    public static double Score(string answer, IReadOnlyList<string> references, RulerMetric metric)
    {
        var found = references.Count(reference => answer.Contains(reference, StringComparison.OrdinalIgnoreCase));
        return metric == RulerMetric.Any ? Math.Min(found, 1) : (double)found / references.Count;
    }
}

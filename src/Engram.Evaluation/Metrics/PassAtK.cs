namespace Engram.Evaluation.Metrics;

/// <summary>The chance that one of k programs passes, estimated from n of which c pass (Chen et al. 2021, 2107.03374, Eq. 1).</summary>
public static class PassAtK
{
    /// <summary>1 − C(n−c, k) / C(n, k), as a product that cannot overflow.</summary>
    /// <param name="samples">n ≥ k.</param>
    /// <param name="passed">c, 0 to n.</param>
    /// <param name="k">At least 1.</param>
    public static double Score(int samples, int passed, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, k);
        ArgumentOutOfRangeException.ThrowIfNegative(passed);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(passed, samples);
        if (samples - passed < k)
            return 1;
        var failing = 1.0;
        for (var i = samples - passed + 1; i <= samples; i++)
            failing *= 1 - (double)k / i;
        return 1 - failing;
    }
}

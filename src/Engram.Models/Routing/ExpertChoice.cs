using Engram.Models.Configuration;

namespace Engram.Models.Routing;

// Shape letters: E routed experts   K experts per token   G groups of experts

/// <summary>
/// Which experts a token goes to (DeepSeek-V3 §2.1.2): the K best by biased affinity, within the best groups where experts are grouped.
/// </summary>
internal static class ExpertChoice
{
    /// <summary>Chooses the experts of one token, best first, ties to the lower index.</summary>
    /// <param name="configuration">E, K, G and how many groups stay eligible.</param>
    /// <param name="biased">Affinity plus balancing bias of every expert, [E]; overwritten.</param>
    /// <param name="chosen">Receives the experts, [K].</param>
    public static void Choose(ModelConfiguration configuration, Span<float> biased, Span<int> chosen)
    {
        if (configuration.NGroup > 1)
            KeepBestGroups(biased, configuration.NGroup, configuration.TopkGroup);
        foreach (ref var expert in chosen)
        {
            var best = 0;
            for (var e = 1; e < biased.Length; e++)
                if (biased[e] > biased[best])
                    best = e;
            expert = best;
            biased[best] = float.NegativeInfinity;
        }
    }

    /// <summary>Only the best groups, by the sum of their two best biased affinities, stay eligible.</summary>
    private static void KeepBestGroups(Span<float> biased, int groups, int kept)
    {
        var size = biased.Length / groups;
        Span<float> groupScores = stackalloc float[groups];
        for (var g = 0; g < groups; g++)
        {
            var (first, second) = (float.NegativeInfinity, float.NegativeInfinity);
            foreach (var score in biased.Slice(g * size, size))
                if (score > first)
                    (first, second) = (score, first);
                else if (score > second)
                    second = score;
            groupScores[g] = size > 1 ? first + second : first;
        }

        for (var dropped = 0; dropped < groups - kept; dropped++)
        {
            var worst = -1;
            for (var g = 0; g < groups; g++)
                if (!float.IsNaN(groupScores[g]) && (worst < 0 || groupScores[g] <= groupScores[worst]))
                    worst = g;
            groupScores[worst] = float.NaN;
            biased.Slice(worst * size, size).Fill(float.NegativeInfinity);
        }
    }
}

using Engram.Studies.Statistics;

namespace Engram.Studies.Verdicts;

/// <summary>
/// What a margin must exceed to count: twice the standard deviation, over the seeds, of the number it is about. Fewer than three seeds do
/// not tell their own noise, so they decide nothing: of two, pure noise would pass more than every fifth time. Three may agree by luck: a
/// difference is taken to be as noisy at least as differences of its setting usually are.
/// </summary>
internal static class Noise
{
    private const double Spreads = 2;

    /// <summary>Seeds that decide.</summary>
    public const int LeastSeeds = 3;

    /// <summary>Judges by how far a claim is exceeded.</summary>
    /// <param name="margin">Above 0 where the claim holds, in the unit of the values.</param>
    /// <param name="perSeed">The number that is judged, one per seed; only their spread is used.</param>
    /// <param name="usual">The standard deviation that such numbers usually have; what is judged has no smaller one.</param>
    public static Outcome Judge(double margin, IReadOnlyList<double> perSeed, double usual = 0)
    {
        if (perSeed.Count < LeastSeeds)
            return Outcome.Undecided;
        var noise = Spreads * Math.Max(usual, SeedStatistics.Of(perSeed).StandardDeviation!.Value);
        return margin > noise ? Outcome.Reproduced
            : margin < -noise ? Outcome.NotReproduced
            : Outcome.WithinNoise;
    }

    /// <summary>
    /// The outcome of a claim that holds only where all of its parts do: one part that is refuted refutes it, one that is open leaves it
    /// open.
    /// </summary>
    public static Outcome Weakest(IEnumerable<Outcome> parts)
    {
        var outcomes = parts.ToList();
        return outcomes.Contains(Outcome.NotReproduced) ? Outcome.NotReproduced
            : outcomes.Contains(Outcome.Undecided) ? Outcome.Undecided
            : outcomes.Contains(Outcome.WithinNoise) ? Outcome.WithinNoise
            : Outcome.Reproduced;
    }
}

namespace Engram.Evaluation.Scoring;

/// <summary>How long work still takes, at the speed so far.</summary>
internal static class RemainingTime
{
    // The first requests pay for what all share: worked examples, and pages of weights that are read for the first time.
    private static readonly TimeSpan Earliest = TimeSpan.FromSeconds(2);
    private const int Fewest = 2,
        Enough = 30;

    /// <summary>Time that the rest takes; null while too little is done to judge by: 2 s, and 1 % or 30 of the parts.</summary>
    /// <param name="done">Parts that were done in this time.</param>
    /// <param name="total">Those and all that are still to be done.</param>
    /// <param name="elapsed">Time that they took.</param>
    public static TimeSpan? Of(long done, long total, TimeSpan elapsed) =>
        elapsed < Earliest || done < Math.Min(Enough, Math.Max(Fewest, total / 100)) ? null : elapsed / done * Math.Max(0, total - done);
}

namespace Engram.Evaluation.Scoring;

/// <summary>How far the scorer is.</summary>
/// <param name="Requests">Requests answered.</param>
/// <param name="OfRequests">All requests.</param>
/// <param name="Tokens">Tokens of the answered requests, as if each had been read alone.</param>
/// <param name="TokensRead">Tokens that the model has read for them; what requests share is read once.</param>
/// <param name="Elapsed">Time since the beginning.</param>
public readonly record struct ScoringProgress(int Requests, int OfRequests, long Tokens, long TokensRead, TimeSpan Elapsed)
{
    /// <summary>Tokens of the longest text that was read.</summary>
    public int Longest { get; init; }

    /// <summary>Tokens of requests per second.</summary>
    public double TokensPerSecond => Elapsed > TimeSpan.Zero ? Tokens / Elapsed.TotalSeconds : 0;

    /// <summary>Time that the rest takes at the speed so far; null while too little is answered to judge by.</summary>
    public TimeSpan? Remaining => RemainingTime.Of(Requests, OfRequests, Elapsed);
}

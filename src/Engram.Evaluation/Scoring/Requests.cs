namespace Engram.Evaluation.Scoring;

/// <summary>What a task asks of a model. Tasks emit requests, models only answer them.</summary>
public abstract record ScoringRequest;

/// <summary>How likely is a continuation after a context?</summary>
/// <param name="Context">The text before; may be empty.</param>
/// <param name="Continuation">The text whose probability is wanted, its delimiter included.</param>
public sealed record LikelihoodRequest(string Context, string Continuation) : ScoringRequest;

/// <summary>How likely is a whole text, every token given those before it?</summary>
/// <param name="Text">The text.</param>
public sealed record RollingRequest(string Text) : ScoringRequest;

/// <summary>How does a text go on?</summary>
/// <param name="Context">The text before; may be empty.</param>
/// <param name="StopStrings">The answer ends before the first of these; empty strings are not allowed.</param>
/// <param name="MaxNewTokens">The answer ends after so many tokens, at the latest after half of the model's context.</param>
/// <param name="Temperature">0 takes the most likely token at every step; above, tokens are drawn.</param>
/// <param name="Seed">Of the draws.</param>
public sealed record GenerationRequest(
    string Context,
    IReadOnlyList<string> StopStrings,
    int MaxNewTokens,
    double Temperature = 0,
    int Seed = 0
) : ScoringRequest;

/// <summary>An answer to a request.</summary>
/// <param name="LogLikelihood">Natural logarithm of the probability of the continuation or text; 0 for a generation.</param>
/// <param name="Tokens">Tokens that the logarithm sums over, or tokens generated.</param>
/// <param name="Greedy">Whether every token of the continuation was the most likely one; true for a generation.</param>
/// <param name="Text">What was generated, stop string excluded; null for likelihoods.</param>
/// <param name="Lost">Tokens at the beginning of the context that the model's context has no room for.</param>
public sealed record ScoringAnswer(double LogLikelihood, int Tokens, bool Greedy, string? Text = null, int Lost = 0);

namespace Engram.Models.Sampling;

/// <summary>Why a generated text ends.</summary>
public enum FinishReason
{
    /// <summary>It has not ended, or whoever asked for it has ended it.</summary>
    Unfinished,

    /// <summary>The model drew the token that ends a text or begins the next one.</summary>
    EndOfText,

    /// <summary>One of <see cref="SamplingOptions.Stop"/> appeared.</summary>
    StopText,

    /// <summary><see cref="SamplingOptions.MaxNewTokens"/> are generated.</summary>
    MaxNewTokens,

    /// <summary>The model's context is full.</summary>
    Context,
}

namespace Engram.Models.Sampling;

/// <summary>
/// How the next token is drawn: logits are changed by <see cref="RepetitionPenalty"/>, divided by <see cref="Temperature"/>, and a token is
/// drawn from those that <see cref="TopK"/>, <see cref="TopP"/> and <see cref="MinP"/> all leave.
/// </summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 takes the most likely token.</summary>
    /// <value>At least 0. Default 0.8.</value>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Keeps so many most likely tokens.</summary>
    /// <value>At least 0. Default 0: all tokens.</value>
    public int TopK { get; init; }

    /// <summary>
    /// Keeps the smallest set of most likely tokens whose probability reaches this, of those that <see cref="TopK"/> keeps.
    /// </summary>
    /// <value>In (0, 1]. Default 0.95; 1 keeps all tokens.</value>
    public double TopP { get; init; } = 0.95;

    /// <summary>Keeps tokens at least so likely as this share of the most likely one's probability (arXiv 2407.01082).</summary>
    /// <value>In [0, 1]. Default 0: all tokens.</value>
    public double MinP { get; init; }

    /// <summary>
    /// Divides positive logits of tokens that the text holds already, the prompt included, and multiplies negative ones (arXiv 1909.05858,
    /// Eq. 2).
    /// </summary>
    /// <value>Above 0. Default 1: nothing is changed.</value>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Texts that end the generation where one appears; they are no part of the result.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Seed of the draws; the same seed gives the same text.</summary>
    public int Seed { get; init; }

    /// <summary>Most new tokens.</summary>
    /// <value>At least 1. Default 128.</value>
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>Returns this, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public SamplingOptions Validated()
    {
        if (!(Temperature >= 0) || double.IsInfinity(Temperature))
            throw new ArgumentException($"Temperature {Temperature} is not a finite number of at least 0.", nameof(Temperature));
        if (TopK < 0)
            throw new ArgumentException($"Top-k {TopK} is less than 0.", nameof(TopK));
        if (!(TopP is > 0 and <= 1))
            throw new ArgumentException($"Top-p {TopP} is not in (0, 1].", nameof(TopP));
        if (!(MinP is >= 0 and <= 1))
            throw new ArgumentException($"Min-p {MinP} is not in [0, 1].", nameof(MinP));
        if (!(RepetitionPenalty > 0) || double.IsInfinity(RepetitionPenalty))
            throw new ArgumentException(
                $"The repetition penalty {RepetitionPenalty} is not a finite number above 0.",
                nameof(RepetitionPenalty)
            );
        if (Stop.Any(string.IsNullOrEmpty))
            throw new ArgumentException("A stop text is empty.", nameof(Stop));
        if (MaxNewTokens < 1)
            throw new ArgumentException($"The number of new tokens {MaxNewTokens} is less than 1.", nameof(MaxNewTokens));
        return this;
    }
}

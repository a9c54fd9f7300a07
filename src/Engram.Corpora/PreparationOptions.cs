using Engram.Tokenization;

namespace Engram.Corpora;

/// <summary>How a corpus becomes token ids.</summary>
public sealed record PreparationOptions
{
    /// <summary>The padding token of a tokenizer trained here; its id is 1.</summary>
    public const string Padding = "<|pad|>";

    /// <summary>The tokenizer to encode with; null trains one on the training part.</summary>
    public Tokenizer? Tokenizer { get; init; }

    /// <summary>Size of a tokenizer trained here. A small corpus may offer fewer pairs to merge and give a smaller one.</summary>
    /// <value>
    /// Ids, at least 258: the 256 bytes and two special tokens. Default 4096. Without effect when <see cref="Tokenizer"/> is given.
    /// </value>
    public int VocabularySize { get; init; } = 4096;

    /// <summary>
    /// The token before each document. A tokenizer trained here gives it id 0; a given one must contain it as a special token.
    /// </summary>
    /// <value>Default <c>&lt;|endoftext|&gt;</c>.</value>
    public string EndOfText { get; init; } = "<|endoftext|>";

    /// <summary>Share of the documents kept for validation.</summary>
    /// <value>In (0, 1). Default 0.05.</value>
    public double ValidationFraction { get; init; } = 0.05;

    /// <summary>
    /// Largest share of the training documents that may be left out because they are like validation documents. Above it the validation
    /// documents with the most relatives are left out instead, up to half of them; if that is not enough, preparation fails.
    /// </summary>
    /// <value>In [0, 1]. Default 0.25; 1 accepts any.</value>
    public double MostLeftOut { get; init; } = 0.25;

    /// <summary>Returns this instance, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range, or the given tokenizer lacks <see cref="EndOfText"/>.</exception>
    public PreparationOptions Validated()
    {
        ArgumentException.ThrowIfNullOrEmpty(EndOfText);
        if (!(ValidationFraction > 0 && ValidationFraction < 1))
            throw new ArgumentOutOfRangeException(
                nameof(ValidationFraction),
                ValidationFraction,
                "The share of validation documents must lie between 0 and 1."
            );
        if (!(MostLeftOut >= 0 && MostLeftOut <= 1))
            throw new ArgumentOutOfRangeException(nameof(MostLeftOut), MostLeftOut, "MostLeftOut must lie between 0 and 1.");
        if (Tokenizer is null)
        {
            if (VocabularySize < 258)
                throw new ArgumentOutOfRangeException(
                    nameof(VocabularySize),
                    VocabularySize,
                    $"The vocabulary must be at least 258 (256 bytes and two special tokens), not {VocabularySize}."
                );
        }
        else if (Tokenizer.TokenToId(EndOfText) is not { } id || !Tokenizer.IsSpecial(id))
            throw new ArgumentException(
                $"The tokenizer has no special token '{EndOfText}' to put before documents. Name the one it has (special: "
                    + $"{string.Join(", ", Tokenizer.AddedTokens.Where(token => token.Special).Take(4).Select(token => token.Content))}).",
                nameof(EndOfText)
            );
        return this;
    }
}

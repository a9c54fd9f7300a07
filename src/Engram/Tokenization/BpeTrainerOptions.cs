using System.Text;

namespace Engram.Tokenization;

/// <summary>What a trained vocabulary should look like.</summary>
public sealed record BpeTrainerOptions
{
    /// <summary>Ids in the finished vocabulary: special tokens, 256 bytes, merges. A small corpus may run out of pairs before.</summary>
    /// <value>Default 30,000. At least 256 and the special tokens.</value>
    public int VocabularySize { get; init; } = 30_000;

    /// <summary>A pair that occurs less often is not merged.</summary>
    /// <value>Occurrences. Default 0; pairs must occur at least once in any case.</value>
    public long MinFrequency { get; init; }

    /// <summary>Tokens that get the first ids, in this order, and are marked special.</summary>
    /// <value>
    /// Default none. Distinct, not empty, not the symbol of a byte, and if not ASCII with a character outside the byte alphabet.
    /// </value>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    /// <summary>No merge makes a token longer than this.</summary>
    /// <value>Bytes, at least 1. Default null: no limit.</value>
    public int? MaxTokenLength { get; init; }

    /// <summary>Returns this instance, or throws naming the offending value.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public BpeTrainerOptions Validated()
    {
        ArgumentNullException.ThrowIfNull(SpecialTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(MinFrequency);
        if (MaxTokenLength is { } longest)
            ArgumentOutOfRangeException.ThrowIfLessThan(longest, 1, nameof(MaxTokenLength));
        if (VocabularySize < 256 + SpecialTokens.Count)
            throw new ArgumentOutOfRangeException(
                nameof(VocabularySize),
                VocabularySize,
                $"256 bytes and {SpecialTokens.Count} special tokens need at least {256 + SpecialTokens.Count} ids."
            );
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var token in SpecialTokens)
        {
            if (string.IsNullOrEmpty(token))
                throw new ArgumentException("A special token is empty.", nameof(SpecialTokens));
            if (!seen.Add(token))
                throw new ArgumentException($"Special token \"{token}\" is listed twice.", nameof(SpecialTokens));
            if (token.Length == 1 && ByteLevelAlphabet.Byte(token[0]) >= 0)
                throw new ArgumentException($"Special token \"{token}\" is the symbol of a byte; make it longer.", nameof(SpecialTokens));
            if (!Ascii.IsValid(token) && token.All(unit => ByteLevelAlphabet.Byte(unit) >= 0))
                throw new ArgumentException(
                    $"Special token \"{token}\" reads as a row of bytes, and other libraries would not decode it to itself; add a space "
                        + "or another character outside the byte alphabet.",
                    nameof(SpecialTokens)
                );
        }
        return this;
    }
}

/// <summary>How far training is.</summary>
/// <param name="CharactersRead">UTF-16 code units of the corpus read so far.</param>
/// <param name="DistinctPieces">Different pre-tokenized pieces seen so far.</param>
/// <param name="VocabularySize">Ids defined so far; 0 while the corpus is being read.</param>
public readonly record struct BpeTrainingProgress(long CharactersRead, int DistinctPieces, int VocabularySize);

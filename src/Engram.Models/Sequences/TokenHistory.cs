using Engram.Addressing;

namespace Engram.Models.Sequences;

/// <summary>
/// The tokens of one sequence that is read piece by piece, and what the <see cref="DocumentRule"/> says of each. Everything else that
/// depends on ids alone, such as the n-gram window at its end, follows from it; 12 bytes per token.
/// </summary>
/// <param name="rule">The model's.</param>
public sealed class TokenHistory(DocumentRule rule)
{
    private int[] _ids = [];
    private int[] _ages = [];
    private int[] _documents = [];

    /// <summary>What ids mean.</summary>
    public DocumentRule Rule => rule;

    /// <summary>Tokens read.</summary>
    public int Length { get; private set; }

    /// <summary>Token ids, [T].</summary>
    public ReadOnlySpan<int> TokenIds => _ids.AsSpan(0, Length);

    /// <summary>How many positions before each one the memory may look back to, [T]; −1 at dead positions.</summary>
    public ReadOnlySpan<int> Ages => _ages.AsSpan(0, Length);

    /// <summary>Position of the first token of each one's document, [T].</summary>
    public ReadOnlySpan<int> Documents => _documents.AsSpan(0, Length);

    /// <summary>Adds tokens at the end.</summary>
    public void Append(ReadOnlySpan<int> tokenIds)
    {
        Reserve(Length + tokenIds.Length);
        var (age, document) = Length == 0 ? (Lookback.Nothing, 0) : (_ages[Length - 1], _documents[Length - 1]);
        foreach (var id in tokenIds)
        {
            var starts = rule.StartsDocument(id);
            (age, document) = (rule.Age(age, id, starts), starts ? Length : document);
            (_ids[Length], _ages[Length], _documents[Length]) = (id, age, document);
            Length++;
        }
    }

    /// <summary>Forgets all tokens from a position on.</summary>
    /// <param name="length">Tokens that stay, 0 to <see cref="Length"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer tokens.</exception>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>An independent history of the same tokens, with room for as many.</summary>
    public TokenHistory Fork()
    {
        var fork = new TokenHistory(rule);
        fork.Reserve(_ids.Length);
        TokenIds.CopyTo(fork._ids);
        Ages.CopyTo(fork._ages);
        Documents.CopyTo(fork._documents);
        fork.Length = Length;
        return fork;
    }

    private void Reserve(int length)
    {
        if (length <= _ids.Length)
            return;
        var capacity = Math.Max(length, Math.Max(64, 2 * _ids.Length));
        Array.Resize(ref _ids, capacity);
        Array.Resize(ref _ages, capacity);
        Array.Resize(ref _documents, capacity);
    }
}

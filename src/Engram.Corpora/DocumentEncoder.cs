using System.Buffers;
using Engram.Tokenization;

namespace Engram.Corpora;

/// <summary>
/// Encodes documents so that text never becomes a special token: a document that mentions one gets its characters as ordinary tokens. (Only
/// a special token of a single character could not be taken apart.) Thread-safe.
/// </summary>
internal sealed class DocumentEncoder(Tokenizer tokenizer)
{
    private readonly SearchValues<string> _special = SearchValues.Create(
        [.. tokenizer.AddedTokens.Where(token => token.Special).Select(token => token.Content)],
        StringComparison.Ordinal
    );

    /// <summary>Replaces the content of <paramref name="ids"/>.</summary>
    internal void Encode(ReadOnlySpan<char> text, List<int> ids)
    {
        ids.Clear();
        for (int at; (at = text.IndexOfAny(_special)) >= 0; )
        {
            // Its first character goes with the text before it; what is left of it matches nothing.
            var cut = at + (char.IsHighSurrogate(text[at]) ? 2 : 1);
            tokenizer.Encode(text[..cut], ids);
            text = text[cut..];
        }
        tokenizer.Encode(text, ids);
    }
}

using System.Buffers;

namespace Engram.Tokenization;

/// <summary>
/// Finds added tokens in text: leftmost match, the longest at that position. The sorted texts serve as a trie: those that share a prefix
/// are neighbours, so each matched code unit narrows a range by binary search.
/// </summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<char> _firstUnits;
    private readonly string[] _texts;
    private readonly AddedToken[] _tokens;

    /// <param name="tokens">
    /// The tokens, each with the text it is matched by. Of equal texts the first counts; empty texts match nothing.
    /// </param>
    public AddedTokenMatcher(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        var sorted = tokens
            .Where(entry => entry.Text.Length > 0)
            .DistinctBy(entry => entry.Text)
            .OrderBy(entry => entry.Text, StringComparer.Ordinal)
            .ToArray();
        _texts = [.. sorted.Select(entry => entry.Text)];
        _tokens = [.. sorted.Select(entry => entry.Token)];
        _firstUnits = SearchValues.Create([.. _texts.Select(text => text[0]).Distinct()]);
    }

    /// <summary>The first match at or after <paramref name="from"/>.</summary>
    /// <returns>The token, or null when there is none.</returns>
    public AddedToken? Find(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        for (start = from; start < text.Length; start++)
        {
            var offset = text[start..].IndexOfAny(_firstUnits);
            if (offset < 0)
                break;
            start += offset;
            if (LongestAt(text[start..]) is not { } token)
                continue;
            end = start + _texts[token].Length;
            return _tokens[token];
        }
        (start, end) = (text.Length, text.Length);
        return null;
    }

    /// <summary>Index of the longest token that <paramref name="text"/> begins with.</summary>
    private int? LongestAt(ReadOnlySpan<char> text)
    {
        int? longest = null;
        var (low, high) = (0, _texts.Length);
        for (var depth = 0; depth < text.Length; depth++)
        {
            low = FirstNotBelow(text[depth], depth, low, high);
            high = FirstNotBelow(text[depth] + 1, depth, low, high);
            if (low == high)
                break;
            if (_texts[low].Length == depth + 1)
                longest = low;
        }
        return longest;
    }

    /// <summary>
    /// First text in [low, high), all equal before <paramref name="depth"/>, whose unit there is at least <paramref name="unit"/>.
    /// </summary>
    private int FirstNotBelow(int unit, int depth, int low, int high)
    {
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            var text = _texts[middle];
            if (text.Length <= depth || text[depth] < unit)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}

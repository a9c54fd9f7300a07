using System.Globalization;
using System.Text;

namespace Engram.Tokenization;

/// <summary>
/// Cuts a text at its added tokens, in the order of the text: spans of text (no token) and spans of tokens, with the tokens' conditions
/// (single word, not special) and extensions (white space to the left or right) applied. Rules of the reference library: a match that fails
/// its condition is text, and the search goes on behind it.
/// </summary>
internal ref struct AddedTokenSpans(AddedTokenMatcher matcher, ReadOnlySpan<char> text, bool specialIsText = false)
{
    private readonly ReadOnlySpan<char> _text = text;
    private int _searched; // matches begin here or later
    private int _covered; // spans handed out so far end here
    private (AddedToken Token, int Start, int End)? _waiting;

    /// <param name="Token">The token, or null for text.</param>
    /// <param name="Start">First code unit.</param>
    /// <param name="End">Behind the last one.</param>
    public readonly record struct Span(AddedToken? Token, int Start, int End);

    public Span Current { get; private set; }

    public readonly AddedTokenSpans GetEnumerator() => this;

    public bool MoveNext()
    {
        _waiting ??= NextMatch();
        if (_waiting is not { } match)
        {
            if (_covered == _text.Length)
                return false;
            Current = new Span(null, _covered, _text.Length);
        }
        else if (_covered < match.Start)
            Current = new Span(null, _covered, match.Start);
        else
        {
            Current = new Span(match.Token, match.Start, match.End);
            _waiting = null;
        }
        _covered = Math.Max(_covered, Current.End);
        return true;
    }

    private (AddedToken, int, int)? NextMatch()
    {
        while (matcher.Find(_text, _searched, out var start, out var end) is { } token)
        {
            _searched = end;
            if (specialIsText && token.Special)
                continue;
            if (token.SingleWord && (EndsWithWord(_text[..start]) || BeginsWithWord(_text[end..])))
                continue;
            if (token.LeftStrip)
                start = Math.Max(_covered, _text[..start].TrimEnd().Length);
            if (token.RightStrip)
                end = _text.Length - _text[end..].TrimStart().Length;
            return (token, start, end);
        }
        _searched = _text.Length;
        return null;
    }

    private static bool EndsWithWord(ReadOnlySpan<char> text) => Rune.DecodeLastFromUtf16(text, out var rune, out _) == 0 && IsWord(rune);

    private static bool BeginsWithWord(ReadOnlySpan<char> text) => Rune.DecodeFromUtf16(text, out var rune, out _) == 0 && IsWord(rune);

    /// <summary>\w of Unicode regular expressions: alphabetic, mark, decimal digit, connector punctuation, join control.</summary>
    private static bool IsWord(Rune rune) =>
        Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.UppercaseLetter
                or UnicodeCategory.LowercaseLetter
                or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter
                or UnicodeCategory.OtherLetter
                or UnicodeCategory.LetterNumber
                or UnicodeCategory.DecimalDigitNumber
                or UnicodeCategory.NonSpacingMark
                or UnicodeCategory.SpacingCombiningMark
                or UnicodeCategory.EnclosingMark
                or UnicodeCategory.ConnectorPunctuation
        || rune.Value
            is 0x200C
                or 0x200D
                or (>= 0x24B6 and <= 0x24E9)
                or (>= 0x1F130 and <= 0x1F149)
                or (>= 0x1F150 and <= 0x1F169)
                or (>= 0x1F170 and <= 0x1F189);
}

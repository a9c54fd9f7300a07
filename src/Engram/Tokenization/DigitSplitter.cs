using Engram.Tokenization.Patterns;

namespace Engram.Tokenization;

/// <summary>Hugging Face's Digits: isolates numbers, one by one or in runs.</summary>
internal sealed class DigitSplitter(bool individual) : CoveringSplitter
{
    private static readonly RuneSet Numbers = new(UnicodeProperties.Number.Difference(UnicodeProperties.Find("#Other_Numbers")!));

    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var length = Numbers.LengthAt(text, start);
        if (length > 0)
            return individual ? start + length : Numbers.RunEnd(text, start, int.MaxValue);
        var end = start;
        while (end < text.Length && Numbers.LengthAt(text, end) == 0)
            end += char.IsHighSurrogate(text[end]) && end + 1 < text.Length ? 2 : 1;
        return end;
    }
}

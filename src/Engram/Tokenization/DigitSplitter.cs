namespace Engram.Tokenization;

/// <summary>Hugging Face's Digits: isolates numbers, one by one or in runs.</summary>
internal sealed class DigitSplitter(bool individual) : TextSplitter
{
    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var isNumber = (RuneClasses.At(text, start, out var length) & RuneClass.Number) != 0;
        var end = start + length;
        if (isNumber && individual) return end;
        while (end < text.Length && ((RuneClasses.At(text, end, out length) & RuneClass.Number) != 0) == isNumber) end += length;
        return end;
    }
}

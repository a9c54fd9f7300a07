namespace Engram.Tokenization;

/// <summary>
/// The splitter inside Hugging Face's ByteLevel when <c>use_regex</c> is set: GPT-2's <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|
/// ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>. The alternatives cover every rune.
/// </summary>
internal sealed class Gpt2Words : CoveringSplitter
{
    private const RuneClass NotOther = RuneClass.WhiteSpace | RuneClass.Letter | RuneClass.Number;

    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var contraction = ContractionLength(text[start..]);
        if (contraction > 0)
            return start + contraction;

        var first = RuneClasses.At(text, start, out var length);
        var body = start;
        if (
            text[start] == ' '
            && start + 1 < text.Length
            && (RuneClasses.At(text, start + 1, out var bodyLength) is var second)
            && (second & RuneClass.WhiteSpace) == 0
        )
        {
            body = start + 1;
            (first, length) = (second, bodyLength);
        }

        if ((first & RuneClass.Letter) != 0)
            return RuneClasses.RunEnd(text, body + length, RuneClass.Letter);
        if ((first & RuneClass.Number) != 0)
            return RuneClasses.RunEnd(text, body + length, RuneClass.Number);
        if ((first & RuneClass.WhiteSpace) == 0)
        {
            var end = body + length;
            while (end < text.Length && (RuneClasses.At(text, end, out length) & NotOther) == 0)
                end += length;
            return end;
        }

        var runEnd = RuneClasses.RunEnd(text, start, RuneClass.WhiteSpace);
        return runEnd == text.Length || runEnd == start + 1 ? runEnd : runEnd - 1;
    }

    private static int ContractionLength(ReadOnlySpan<char> text)
    {
        if (text.Length < 2 || text[0] != '\'')
            return 0;
        if (text[1] is 's' or 't' or 'm' or 'd')
            return 2;
        if (text.Length < 3)
            return 0;
        return (text[1], text[2]) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }
}

namespace Engram.Tokenization;

// The three stages of the DeepSeek-V3 pre-tokenizer, each a hand-written equivalent of the regular expression named beside it.
// The expressions count Unicode scalar values and isolate their matches; text between matches survives as pieces.

/// <summary>Stage 1: runs of numbers in chunks of at most three.</summary>
internal sealed class DigitChunks : CoveringSplitter
{
    public const string Pattern = @"\p{N}{1,3}";
    private const int ChunkLength = 3;

    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var isNumber = (RuneClasses.At(text, start, out var length) & RuneClass.Number) != 0;
        var end = start + length;
        for (var count = 1; end < text.Length && !(isNumber && count == ChunkLength); count++)
        {
            if (((RuneClasses.At(text, end, out length) & RuneClass.Number) != 0) != isNumber)
                break;
            end += length;
        }
        return end;
    }
}

/// <summary>Stage 2: runs of Han, Hiragana and Katakana.</summary>
internal sealed class HanKanaRuns : CoveringSplitter
{
    public const string Pattern = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";

    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var inside = (RuneClasses.At(text, start, out var length) & RuneClass.HanOrKana) != 0;
        var end = start + length;
        while (end < text.Length && ((RuneClasses.At(text, end, out length) & RuneClass.HanOrKana) != 0) == inside)
            end += length;
        return end;
    }
}

/// <summary>Stage 3: words with what leads them, punctuation with the line breaks after it, white space.</summary>
internal sealed class DeepSeekWords : CoveringSplitter
{
    public const string Pattern =
        """[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"""
        + "[^\r\n"
        + @"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
        + @" ?[\p{P}\p{S}]+"
        + "[\r\n]*|"
        + @"\s*"
        + "[\r\n]+|"
        + @"\s+(?!\S)|\s+";

    private const RuneClass Word = RuneClass.Letter | RuneClass.Mark;
    private const RuneClass NeverLeads = RuneClass.LineBreak | RuneClass.Letter | RuneClass.PunctuationOrSymbol;

    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var end = MatchEnd(text, start);
        if (end > start)
            return end;
        // Runes no alternative begins with (controls, format characters, unassigned) gather until the next match.
        for (end = start; end < text.Length && MatchEnd(text, end) == end; )
        {
            RuneClasses.At(text, end, out var length);
            end += length;
        }
        return end;
    }

    /// <summary>
    /// End of the match at <paramref name="i"/>, or <paramref name="i"/>. The alternatives are tried in the order of the pattern.
    /// </summary>
    private static int MatchEnd(ReadOnlySpan<char> text, int i)
    {
        var first = RuneClasses.At(text, i, out var length);
        var next = i + length;
        var second = next < text.Length ? RuneClasses.At(text, next, out _) : RuneClass.None;

        var symbol = (first & RuneClass.PunctuationOrSymbol) != 0;
        if (symbol && text[i] < 0x80 && (second & RuneClass.AsciiLetter) != 0)
            return RuneClasses.RunEnd(text, next, RuneClass.AsciiLetter);
        if ((first & NeverLeads) == 0 && (second & Word) != 0)
            return RuneClasses.RunEnd(text, next, Word);
        if ((first & Word) != 0)
            return RuneClasses.RunEnd(text, next, Word);
        if (symbol || (text[i] == ' ' && (second & RuneClass.PunctuationOrSymbol) != 0))
            return RuneClasses.RunEnd(text, RuneClasses.RunEnd(text, next, RuneClass.PunctuationOrSymbol), RuneClass.LineBreak);
        return (first & RuneClass.WhiteSpace) != 0 ? WhiteSpaceEnd(text, i) : i;
    }

    /// <summary>\s*[\r\n]+ | \s+(?!\S) | \s+ on a run of white space.</summary>
    private static int WhiteSpaceEnd(ReadOnlySpan<char> text, int start)
    {
        // All white space lies in the basic plane: one code unit each.
        var end = RuneClasses.RunEnd(text, start, RuneClass.WhiteSpace);
        var lastBreak = text[start..end].LastIndexOfAny('\r', '\n');
        if (lastBreak >= 0)
            return start + lastBreak + 1;
        return end == text.Length || end == start + 1 ? end : end - 1;
    }
}

using System.Globalization;
using System.Text;

namespace Engram.Tokenization;

/// <summary>What the pre-tokenizers need to know about one Unicode scalar value.</summary>
[Flags]
internal enum RuneClass : byte
{
    None = 0,

    /// <summary>General categories Lu, Ll, Lt, Lm, Lo.</summary>
    Letter = 1,

    /// <summary>Mn, Mc, Me.</summary>
    Mark = 2,

    /// <summary>Nd, Nl, No.</summary>
    Number = 4,

    /// <summary>Every P and S category; the patterns never part the two.</summary>
    PunctuationOrSymbol = 8,

    /// <summary>Property White_Space.</summary>
    WhiteSpace = 16,

    /// <summary>Carriage return and line feed.</summary>
    LineBreak = 32,

    /// <summary>U+4E00–9FA5, U+3040–30FF: the ranges DeepSeek keeps apart, assigned or not.</summary>
    HanOrKana = 64,

    /// <summary>A–Z, a–z.</summary>
    AsciiLetter = 128,
}

/// <summary>Classes by code unit, from a 64 KiB table; a surrogate pair is looked up in the runtime's Unicode tables.</summary>
internal static class RuneClasses
{
    private static readonly RuneClass[] Bmp = BuildBmp();

    /// <summary>Class of the rune at <paramref name="index"/> and its length in code units. A lone surrogate counts as U+FFFD.</summary>
    public static RuneClass At(ReadOnlySpan<char> text, int index, out int length)
    {
        var unit = text[index];
        if (char.IsHighSurrogate(unit) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            length = 2;
            return OfRune(new Rune(unit, text[index + 1]));
        }
        length = 1;
        return Bmp[unit];
    }

    /// <summary>End of the longest run from <paramref name="index"/> whose runes all have one of the classes.</summary>
    public static int RunEnd(ReadOnlySpan<char> text, int index, RuneClass classes)
    {
        while (index < text.Length && (At(text, index, out var length) & classes) != 0)
            index += length;
        return index;
    }

    private static RuneClass[] BuildBmp()
    {
        var table = new RuneClass[0x10000];
        for (var unit = 0; unit < table.Length; unit++)
            table[unit] = OfRune(char.IsSurrogate((char)unit) ? Rune.ReplacementChar : new Rune(unit));
        return table;
    }

    private static RuneClass OfRune(Rune rune)
    {
        var result = Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter
            or UnicodeCategory.LowercaseLetter
            or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter
            or UnicodeCategory.OtherLetter => RuneClass.Letter,
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => RuneClass.Mark,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => RuneClass.Number,
            UnicodeCategory.ConnectorPunctuation
            or UnicodeCategory.DashPunctuation
            or UnicodeCategory.OpenPunctuation
            or UnicodeCategory.ClosePunctuation
            or UnicodeCategory.InitialQuotePunctuation
            or UnicodeCategory.FinalQuotePunctuation
            or UnicodeCategory.OtherPunctuation
            or UnicodeCategory.MathSymbol
            or UnicodeCategory.CurrencySymbol
            or UnicodeCategory.ModifierSymbol
            or UnicodeCategory.OtherSymbol => RuneClass.PunctuationOrSymbol,
            _ => RuneClass.None,
        };
        if (Rune.IsWhiteSpace(rune))
            result |= RuneClass.WhiteSpace;
        if (rune.Value is '\r' or '\n')
            result |= RuneClass.LineBreak;
        if (rune.Value is (>= 0x4E00 and <= 0x9FA5) or (>= 0x3040 and <= 0x30FF))
            result |= RuneClass.HanOrKana;
        if (rune.IsAscii && char.IsAsciiLetter((char)rune.Value))
            result |= RuneClass.AsciiLetter;
        return result;
    }
}

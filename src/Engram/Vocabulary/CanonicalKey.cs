using System.Text;
using Engram.Tokenization;

namespace Engram.Vocabulary;

/// <summary>
/// The string by which a token is compared with others: its text with the differences removed that the memory does not care about (case,
/// accents, compatibility forms, kind and amount of white space). Paper §2.2; the steps are those of the official demonstration code.
/// </summary>
internal static class CanonicalKey
{
    // Stands for a token of pure white space while the ends are trimmed.
    private const string SpaceSentinel = "\uE000";

    /// <summary>The key of a token.</summary>
    public static string Of(Tokenizer tokenizer, int id)
    {
        // The reference reads every token as a row of byte symbols, added ones too, and models store maps made so.
        var text = tokenizer.TokenAsBytes(id);
        // A fragment of a character has no text to normalise and is known by its vocabulary string. All kinds of key share one dictionary.
        if (text.Contains('\uFFFD'))
            return tokenizer.IdToToken(id)!;
        var normalized = Normalize(text);
        return normalized.Length > 0 ? normalized : text;
    }

    /// <summary>The eight steps, in the order that defines them.</summary>
    internal static string Normalize(string text)
    {
        text = UnicodeData.Normalized(text, NormalizationForm.FormKC);
        text = UnicodeData.Normalized(text, NormalizationForm.FormD);
        text = UnicodeData.WithoutMarks(text);
        text = Lowered(text);
        text = WithSingleSpaces(text);
        if (text == " ")
            text = SpaceSentinel;
        text = text.Trim(); // exactly the characters with the property White_Space; U+FEFF stays
        return text.Replace(SpaceSentinel, " ", StringComparison.Ordinal);
    }

    /// <summary>Each rune alone: no culture, no final sigma.</summary>
    private static string Lowered(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            result.Append(UnicodeData.Lowered(rune));
        return result.ToString();
    }

    /// <summary>Runs of space, tab, carriage return and line feed become one space; other white space takes no part.</summary>
    private static string WithSingleSpaces(string text)
    {
        var result = new StringBuilder(text.Length);
        var inRun = false;
        foreach (var unit in text)
        {
            var blank = unit is ' ' or '\t' or '\r' or '\n';
            if (!blank)
                result.Append(unit);
            else if (!inRun)
                result.Append(' ');
            inRun = blank;
        }
        return result.ToString();
    }
}

using System.Text;

namespace Engram.Tokenization;

/// <summary>Half surrogate pairs are no characters: they count as U+FFFD, as they do in every conversion to UTF-8.</summary>
internal static class LoneSurrogates
{
    /// <summary>The text itself when it is valid UTF-16, otherwise a repaired copy.</summary>
    public static ReadOnlySpan<char> Repair(ReadOnlySpan<char> text)
    {
        var rest = text;
        for (int at; (at = rest.IndexOfAnyInRange('\uD800', '\uDFFF')) >= 0; rest = rest[(at + 2)..])
        {
            if (char.IsHighSurrogate(rest[at]) && at + 1 < rest.Length && char.IsLowSurrogate(rest[at + 1]))
                continue;
            var repaired = new StringBuilder(text.Length);
            foreach (var rune in text.EnumerateRunes())
                repaired.Append(rune); // yields U+FFFD for a lone surrogate
            return repaired.ToString();
        }
        return text;
    }
}

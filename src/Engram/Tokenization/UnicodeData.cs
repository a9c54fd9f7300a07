using System.Globalization;
using System.Text;

namespace Engram.Tokenization;

/// <summary>What the runtime's Unicode support must deliver, and the one filter built on it that two parts share.</summary>
internal static class UnicodeData
{
    /// <summary>
    /// Makes sure that <see cref="string.Normalize(NormalizationForm)"/> works. In globalization-invariant mode it returns non-ASCII text unchanged,
    /// without an error, and everything computed from it would be silently wrong.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">It does not.</exception>
    public static void EnsureNormalization()
    {
        if (!"\uFB01\u2460".Normalize(NormalizationForm.FormKC).Equals("fi1", StringComparison.Ordinal))
            throw new PlatformNotSupportedException(
                "Unicode normalisation does not work in this process: it runs in globalization-invariant mode. Install ICU (on Debian: libicu) and unset "
                + "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT, or set InvariantGlobalization to false in the project. A stored canonical map loads without it.");
    }

    /// <summary>The text without the runes of general category Mn, Mc and Me.</summary>
    public static string WithoutMarks(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark))
                result.Append(rune);
        return result.ToString();
    }
}

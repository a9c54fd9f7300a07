using System.Text;
using Engram.Tokenization.Patterns;

namespace Engram.Tokenization;

/// <summary>
/// Unicode transformations of the normalizers and of the canonical map. They are those of the reference library, whose tables are older
/// than the runtime's: characters that it does not know stay as they are.
/// </summary>
internal static class UnicodeData
{
    // U+FFFE is refused by string.Normalize, although nothing could become of it.
    private static readonly Lazy<RuneSet> NotNormalized = new(() =>
        new RuneSet(UnicodeProperties.Find("#Not_Normalized")!.Union(RuneRanges.Of(0xFFFE)))
    );

    private static readonly Lazy<RuneSet> Marks = new(() =>
        new RuneSet(UnicodeProperties.Mark.Difference(UnicodeProperties.Find("#Other_Marks")!))
    );

    /// <summary>
    /// Makes sure that <see cref="string.Normalize(NormalizationForm)"/> works. In globalization-invariant mode it returns non-ASCII text
    /// unchanged, without an error, and everything computed from it would be silently wrong.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">It does not.</exception>
    public static void EnsureNormalization()
    {
        if (!"\uFB01\u2460".Normalize(NormalizationForm.FormKC).Equals("fi1", StringComparison.Ordinal))
            throw new PlatformNotSupportedException(
                "Unicode normalisation does not work in this process: it runs in globalization-invariant mode. Install ICU (on Debian: "
                    + "libicu) and unset "
                    + "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT, or set InvariantGlobalization to false in the project. A stored canonical "
                    + "map loads without it."
            );
    }

    /// <summary>NFC, NFD, NFKC or NFKD. Characters that are left alone part the text: nothing is composed or ordered across them.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="form">The form.</param>
    public static string Normalized(string text, NormalizationForm form)
    {
        if (System.Text.Ascii.IsValid(text))
            return text;
        var apart = NotNormalized.Value;
        StringBuilder? result = null;
        var done = 0;
        for (var at = 0; at < text.Length; )
        {
            var length = char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1;
            if (apart.LengthAt(text, at) > 0)
            {
                result ??= new StringBuilder(text.Length);
                result.Append(text[done..at].Normalize(form)).Append(text, at, length);
                done = at + length;
            }
            at += length;
        }
        return result is null ? text.Normalize(form) : result.Append(text[done..].Normalize(form)).ToString();
    }

    /// <summary>
    /// Each rune alone: no culture, no final sigma. Letters whose case pairs are newer than the runtime's are paired too.
    /// </summary>
    public static Rune Lowered(Rune rune) =>
        rune.Value switch
        {
            < 0x1C89 => Rune.ToLowerInvariant(rune),
            0x1C89 or 0xA7CC or 0xA7CE or 0xA7D2 or 0xA7D4 or 0xA7DA => new Rune(rune.Value + 1),
            0xA7CB => new Rune(0x264),
            0xA7DC => new Rune(0x19B),
            >= 0x10D50 and <= 0x10D65 => new Rune(rune.Value + 0x20),
            >= 0x16EA0 and <= 0x16EB8 => new Rune(rune.Value + 0x1B),
            _ => Rune.ToLowerInvariant(rune),
        };

    /// <summary>The text without its marks: the runes of general category Mn, Mc and Me.</summary>
    public static string WithoutMarks(string text)
    {
        var marks = Marks.Value;
        var result = new StringBuilder(text.Length);
        for (var at = 0; at < text.Length; )
        {
            Rune.DecodeFromUtf16(text.AsSpan(at), out var rune, out var length);
            if (!marks.Contains(rune.Value))
                result.Append(text, at, length);
            at += length;
        }
        return result.ToString();
    }
}

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Engram.Tokenization;

namespace Engram.Tests.Vocabulary;

/// <summary>
/// The canonical key written a second time, with plain strings and regular expressions, and with switches that break one rule each.
/// </summary>
public static class ReferenceKey
{
    public enum Fault
    {
        None,
        StripsByteOrderMark,
        SeparateDictionaries,
        NoSentinel,
        NoCompatibilityForms,
        OnlyNonspacingMarks,
        KeepsCase,
    }

    private const string WhiteSpace = @"[\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]";

    public static string Of(Tokenizer tokenizer, int id, Fault fault)
    {
        var token = tokenizer.IdToToken(id)!;
        var bytes = token.Select(symbol => ByteLevelAlphabet.Byte(symbol)).ToArray();
        var text = Encoding.UTF8.GetString(bytes.Contains(-1) ? Encoding.UTF8.GetBytes(token) : [.. bytes.Select(value => (byte)value)]);
        if (text.Contains('\uFFFD'))
            return fault == Fault.SeparateDictionaries ? "raw string " + token : token;
        var normalized = Normalize(text, fault);
        return normalized == "" ? text : normalized;
    }

    private static string Normalize(string text, Fault fault)
    {
        if (fault != Fault.NoCompatibilityForms)
            text = text.Normalize(NormalizationForm.FormKC);
        text = text.Normalize(NormalizationForm.FormD);
        UnicodeCategory[] marks =
            fault == Fault.OnlyNonspacingMarks
                ? [UnicodeCategory.NonSpacingMark]
                : [UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark];
        text = string.Concat(text.EnumerateRunes().Where(rune => !marks.Contains(Rune.GetUnicodeCategory(rune))));
        if (fault != Fault.KeepsCase)
            text = string.Concat(text.EnumerateRunes().Select(Rune.ToLowerInvariant));
        text = Regex.Replace(text, "[ \t\r\n]+", " ");
        if (text == " " && fault != Fault.NoSentinel)
            return " "; // what protecting and unprotecting comes to
        text = Regex.Replace(text, $"^{WhiteSpace}+|{WhiteSpace}+$", "");
        if (fault == Fault.StripsByteOrderMark)
            text = text.Trim('\uFEFF');
        return text.Replace('\uE000', ' ');
    }
}

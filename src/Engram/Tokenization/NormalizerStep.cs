using System.Text;
using Engram.Tokenization.Patterns;

namespace Engram.Tokenization;

/// <summary>One change of the text.</summary>
internal abstract class NormalizerStep
{
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="longest">The result may not be longer.</param>
    public abstract string Apply(string text, long longest);
}

/// <summary>NFC, NFD, NFKC or NFKD.</summary>
internal sealed class UnicodeForm : NormalizerStep
{
    private readonly NormalizationForm _form;

    /// <exception cref="PlatformNotSupportedException">The process cannot normalise.</exception>
    public UnicodeForm(NormalizationForm form)
    {
        UnicodeData.EnsureNormalization();
        _form = form;
    }

    public override string Apply(string text, long longest) => UnicodeData.Normalized(text, _form);
}

/// <summary>Each rune alone, no culture, no context; U+0130 becomes "i" and a combining dot as in Unicode's full mapping.</summary>
internal sealed class Lowercase : NormalizerStep
{
    public override string Apply(string text, long longest)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            if (rune.Value == 0x130)
                result.Append("i\u0307");
            else
                result.Append(UnicodeData.Lowered(rune));
        return result.ToString();
    }
}

/// <summary>Removes every mark: Mn, Mc and Me.</summary>
internal sealed class StripAccents : NormalizerStep
{
    public override string Apply(string text, long longest) => UnicodeData.WithoutMarks(text);
}

/// <summary>Removes white space at the ends.</summary>
internal sealed class Strip(bool left, bool right) : NormalizerStep
{
    // string.Trim removes exactly the characters with the property White_Space.
    public override string Apply(string text, long longest) =>
        (left, right) switch
        {
            (true, true) => text.Trim(),
            (true, false) => text.TrimStart(),
            (false, true) => text.TrimEnd(),
            _ => text,
        };
}

/// <summary>Puts a string in front of a text that is not empty.</summary>
internal sealed class Prepend(TokenizerComponent json, string prefix) : NormalizerStep
{
    public override string Apply(string text, long longest)
    {
        if (text.Length == 0)
            return text;
        return prefix.Length + (long)text.Length <= longest
            ? prefix + text
            : throw json.Error($"Prepend makes a text longer than {longest} characters");
    }
}

/// <summary>Puts a string in the place of every match.</summary>
internal sealed class Replace(TokenizerComponent json, RunePattern pattern, string content) : NormalizerStep
{
    public override string Apply(string text, long longest)
    {
        var result = new StringBuilder(text.Length);
        var copied = 0;
        for (var matches = default(PatternMatches); matches.Next(pattern, text, out var start, out var end); copied = end)
        {
            result.Append(text, copied, start - copied).Append(content);
            if (result.Length > longest)
                throw json.Error($"Replace makes a text longer than {longest} characters");
        }
        result.Append(text, copied, text.Length - copied);
        return result.Length <= longest ? result.ToString() : throw json.Error($"Replace makes a text longer than {longest} characters");
    }
}

/// <summary>The characters that stand for the bytes of the text.</summary>
internal sealed class ByteSymbolText : NormalizerStep
{
    private static readonly ByteSymbols Symbols = new();

    public override string Apply(string text, long longest)
    {
        var result = new char[Symbols.MaxLength(text.Length)];
        return new string(result, 0, Symbols.Write(text, result));
    }
}

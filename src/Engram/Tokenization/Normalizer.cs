using System.Text;
using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>A change of the text before it is split. Immutable and thread-safe.</summary>
internal abstract class Normalizer
{
    private const string Supported = "NFC, NFD, NFKC, NFKD, Lowercase, Replace, Strip, StripAccents, Prepend, Sequence";

    /// <param name="text">Valid UTF-16.</param>
    public abstract string Apply(string text);

    /// <summary>Builds what a tokenizer.json describes; null when it changes nothing.</summary>
    /// <exception cref="InvalidDataException">An unknown type or a malformed field.</exception>
    public static Normalizer? FromJson(TokenizerComponent json)
    {
        if (json.Json.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined) return null;
        switch (json.Type)
        {
            case "NFC": return new UnicodeForm(NormalizationForm.FormC);
            case "NFD": return new UnicodeForm(NormalizationForm.FormD);
            case "NFKC": return new UnicodeForm(NormalizationForm.FormKC);
            case "NFKD": return new UnicodeForm(NormalizationForm.FormKD);
            case "Lowercase": return new Lowercase();
            case "StripAccents": return new StripAccents();
            case "Strip": return new Strip(json.Flag("strip_left", absent: false), json.Flag("strip_right", absent: false));
            case "Prepend": return new Prepend(json.Text("prepend"));
            case "Replace":
                var (pattern, isRegex) = json.Pattern();
                if (isRegex) throw json.Error($"Replace with the regular expression \"{pattern}\" is not supported; a plain string is");
                if (pattern.Length == 0) throw json.Error("Replace with an empty pattern");
                return new Replace(pattern, json.Text("content"));
            case "Sequence":
                var parts = json.Children("normalizers").Select(FromJson).OfType<Normalizer>().ToArray();
                return parts.Length switch { 0 => null, 1 => parts[0], _ => new Sequence(parts) };
            default: throw json.UnknownType(Supported);
        }
    }

    private sealed class Sequence(Normalizer[] parts) : Normalizer
    {
        public override string Apply(string text) => parts.Aggregate(text, (current, part) => part.Apply(current));
    }

    private sealed class UnicodeForm : Normalizer
    {
        private readonly NormalizationForm _form;

        public UnicodeForm(NormalizationForm form)
        {
            UnicodeData.EnsureNormalization();
            _form = form;
        }

        public override string Apply(string text) => text.Normalize(_form);
    }

    /// <summary>Each rune alone, no culture, no context; U+0130 becomes "i" and a combining dot as in Unicode's full mapping.</summary>
    private sealed class Lowercase : Normalizer
    {
        public override string Apply(string text)
        {
            var result = new StringBuilder(text.Length);
            foreach (var rune in text.EnumerateRunes())
                if (rune.Value == 0x130) result.Append("i\u0307");
                else result.Append(Rune.ToLowerInvariant(rune));
            return result.ToString();
        }
    }

    /// <summary>Removes every mark: Mn, Mc and Me.</summary>
    private sealed class StripAccents : Normalizer
    {
        public override string Apply(string text) => UnicodeData.WithoutMarks(text);
    }

    private sealed class Strip(bool left, bool right) : Normalizer
    {
        // string.Trim removes exactly the characters with the property White_Space.
        public override string Apply(string text) => (left, right) switch
        {
            (true, true) => text.Trim(),
            (true, false) => text.TrimStart(),
            (false, true) => text.TrimEnd(),
            _ => text,
        };
    }

    private sealed class Prepend(string prefix) : Normalizer
    {
        public override string Apply(string text) => text.Length == 0 ? text : prefix + text;
    }

    private sealed class Replace(string pattern, string content) : Normalizer
    {
        public override string Apply(string text) => text.Replace(pattern, content, StringComparison.Ordinal);
    }
}

using System.Text;
using System.Text.RegularExpressions;

namespace Engram.Evaluation.Text;

/// <summary>
/// Rewritings of short answers before they are compared. Punctuation is ASCII's (Python's <c>string.punctuation</c>); articles are a, an,
/// the.
/// </summary>
public static partial class AnswerText
{
    /// <summary>ASCII punctuation.</summary>
    public const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    // TriviaQA's own scorer counts these quotation marks among punctuation.
    private const string TriviaPunctuation = Punctuation + "‘’´`";

    /// <summary>Lower case, punctuation deleted, articles deleted, white space squeezed: SQuAD's <c>normalize_answer</c>.</summary>
    public static string Squad(string text) => SqueezeSpace(RemoveArticles(Delete(text.ToLowerInvariant(), Punctuation)));

    /// <summary>
    /// Underscores and punctuation to spaces, lower case, articles deleted, white space squeezed: TriviaQA's <c>normalize_answer</c>.
    /// </summary>
    public static string Trivia(string text)
    {
        var spaced = new StringBuilder(text.Length);
        foreach (var letter in text.ToLowerInvariant())
            spaced.Append(TriviaPunctuation.Contains(letter, StringComparison.Ordinal) ? ' ' : letter);
        return SqueezeSpace(RemoveArticles(spaced.ToString()));
    }

    /// <summary>The text without the given characters.</summary>
    public static string Delete(string text, string characters)
    {
        if (text.AsSpan().IndexOfAny(characters) < 0)
            return text;
        var kept = new StringBuilder(text.Length);
        foreach (var letter in text)
            if (!characters.Contains(letter, StringComparison.Ordinal))
                kept.Append(letter);
        return kept.ToString();
    }

    /// <summary>Each article that is a word of its own becomes a space.</summary>
    public static string RemoveArticles(string text) => Articles().Replace(text, " ");

    /// <summary>Words with one space between them.</summary>
    public static string SqueezeSpace(string text) => string.Join(' ', Words(text));

    /// <summary>The words of a text: what stands between white space, as Python's <c>split()</c>.</summary>
    public static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>First letter in upper case, the others in lower case, as Python's <c>capitalize()</c>.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0)
            return text;
        var first = char.IsHighSurrogate(text[0]) && text.Length > 1 ? 2 : 1;
        return text[..first].ToUpperInvariant() + text[first..].ToLowerInvariant();
    }

    /// <summary>
    /// How many Unicode scalar values a text has: what Python's <c>len</c> counts, where <see cref="string.Length"/> counts UTF-16 units.
    /// </summary>
    public static int Characters(string text)
    {
        var count = 0;
        foreach (var _ in text.EnumerateRunes())
            count++;
        return count;
    }

    [GeneratedRegex(@"\b(a|an|the)\b", RegexOptions.CultureInvariant)]
    private static partial Regex Articles();
}

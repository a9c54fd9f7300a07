using System.Text.RegularExpressions;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Metrics;

/// <summary>
/// Exact match as lm-evaluation-harness computes it (<c>exact_match_hf_evaluate</c>): in both texts the ignored patterns are deleted in
/// order, then letters lower-cased, then ASCII punctuation and digits deleted, each if asked for; then they are equal or not. Of several
/// references any counts.
/// </summary>
public sealed class ExactMatch
{
    private static readonly TimeSpan PatternLimit = TimeSpan.FromSeconds(30);

    private readonly Regex[] _ignored;
    private readonly bool _case;
    private readonly bool _punctuation;
    private readonly bool _digits;
    private readonly Func<string, string>? _normalise;

    /// <summary>A comparison.</summary>
    /// <param name="ignoredPatterns">Regular expressions that are deleted from both texts before anything else.</param>
    /// <param name="ignoreCase">Compares in lower case.</param>
    /// <param name="ignorePunctuation">Deletes ASCII punctuation.</param>
    /// <param name="ignoreDigits">Deletes the digits 0 to 9.</param>
    /// <param name="normalise">A further rewriting of both texts, last.</param>
    /// <exception cref="InvalidDataException">A pattern is no regular expression.</exception>
    public ExactMatch(
        IEnumerable<string>? ignoredPatterns = null,
        bool ignoreCase = false,
        bool ignorePunctuation = false,
        bool ignoreDigits = false,
        Func<string, string>? normalise = null
    )
    {
        _ignored = [.. (ignoredPatterns ?? []).Select(Compile)];
        (_case, _punctuation, _digits, _normalise) = (ignoreCase, ignorePunctuation, ignoreDigits, normalise);
    }

    /// <summary>1 if the prediction equals any reference, else 0.</summary>
    public double Score(string prediction, IEnumerable<string> references)
    {
        var predicted = Normalise(prediction);
        return references.Any(reference => Normalise(reference) == predicted) ? 1 : 0;
    }

    /// <summary>The text that is compared.</summary>
    public string Normalise(string text)
    {
        foreach (var pattern in _ignored)
            text = pattern.Replace(text, "");
        if (_case)
            text = text.ToLowerInvariant();
        if (_punctuation)
            text = AnswerText.Delete(text, AnswerText.Punctuation);
        if (_digits)
            text = AnswerText.Delete(text, "0123456789");
        return _normalise is null ? text : _normalise(text);
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, PatternLimit);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"ignored pattern \"{pattern}\": no regular expression: {error.Message}", error);
        }
    }
}

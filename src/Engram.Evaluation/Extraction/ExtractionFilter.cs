using System.Text.RegularExpressions;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Extraction;

/// <summary>
/// Finds the answer in what a model wrote: a text in, a text out. Filters have names, so that task files can say which they want; several
/// run one after the other.
/// </summary>
public static class ExtractionFilter
{
    private static readonly Dictionary<string, Func<string, string>> Named = new(StringComparer.Ordinal)
    {
        ["strip"] = text => text.Trim(),
        ["first_line"] = FirstLine,
        ["lower"] = text => text.ToLowerInvariant(),
        ["squad"] = AnswerText.Squad,
        ["trivia"] = AnswerText.Trivia,
        ["final_period"] = RemoveFinalPeriod,
        ["gsm8k_strict"] = NumberAnswers.Hashes,
        ["gsm8k_cot_strict"] = NumberAnswers.Sentence,
        ["number_flexible"] = NumberAnswers.Last,
        ["mgsm_phrase"] = NumberAnswers.InAnyLanguage,
        ["bbh"] = PhraseAnswers.Bbh,
        ["mmlu_pro"] = PhraseAnswers.MmluPro,
        ["choice_letter"] = PhraseAnswers.Letter,
        ["choice_letters"] = PhraseAnswers.Letters,
        ["drop"] = PhraseAnswers.Drop,
        ["trivia_stop"] = PhraseAnswers.TriviaStop,
        ["math_minerva"] = MathText.MinervaAnswer,
        ["math_boxed"] = text => MathText.LastBoxed(text) ?? MathText.Invalid,
        ["minerva"] = MathText.Minerva,
        ["hendrycks"] = MathText.Hendrycks,
        ["cloze"] = ClozeAnswers.Extract,
        ["cruxeval_input"] = CodeAnswers.CruxEvalInput,
        ["cruxeval_output"] = CodeAnswers.CruxEvalOutput,
        ["code_block"] = CodeAnswers.Block,
    };

    /// <summary>All names, in order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Named.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The filter of a name.</summary>
    /// <exception cref="InvalidDataException">There is none of that name.</exception>
    public static Func<string, string> Find(string name) =>
        Named.GetValueOrDefault(name)
        ?? throw new InvalidDataException(
            $"there is no filter \"{name}\".{NearestNames.Ask(name, Names)} There are {string.Join(", ", Names)}, and regular expressions between slashes."
        );

    /// <summary>
    /// What a regular expression captures, as lm-evaluation-harness's <c>RegexFilter</c>: all matches are found, one is selected, of its
    /// groups (or the whole match, if it has none) the first that is not empty counts, trimmed.
    /// </summary>
    /// <param name="pattern">The expression.</param>
    /// <param name="select">Which match: 0 the first, −1 the last.</param>
    /// <param name="fallback">The answer where nothing matches.</param>
    /// <exception cref="InvalidDataException">The pattern is no regular expression.</exception>
    public static Func<string, string> Match(string pattern, int select = 0, string fallback = PhraseAnswers.Invalid)
    {
        Regex expression;
        try
        {
            expression = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(30));
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"filter \"{pattern}\": no regular expression: {error.Message}", error);
        }
        return text => PhraseAnswers.Select(expression, text, select, fallback);
    }

    private static string FirstLine(string text)
    {
        text = text.TrimStart();
        return (text.IndexOf('\n') is var end and >= 0 ? text[..end] : text).TrimEnd();
    }

    private static string RemoveFinalPeriod(string text)
    {
        text = text.TrimEnd();
        return text.EndsWith('.') ? text[..^1].TrimEnd() : text;
    }
}

using System.Text.RegularExpressions;

namespace Engram.Evaluation.Extraction;

/// <summary>
/// Numbers at the end of a calculation (lm-evaluation-harness, <c>tasks/gsm8k</c> and <c>tasks/mgsm</c>). <see cref="Clean"/> makes them
/// comparable.
/// </summary>
public static partial class NumberAnswers
{
    /// <summary>GSM8K strict: the number behind "#### ".</summary>
    public static string Hashes(string text) => PhraseAnswers.Select(HashesExpression(), text, 0, PhraseAnswers.Invalid);

    /// <summary>
    /// GSM8K with a chain of thought, strict: the number behind "The answer is", as the harness reads it: without a currency sign, and the
    /// last character of a text is never part of it.
    /// </summary>
    public static string Sentence(string text) => PhraseAnswers.Select(SentenceExpression(), text, 0, PhraseAnswers.Invalid);

    /// <summary>Flexible: the last number.</summary>
    public static string Last(string text) => PhraseAnswers.Select(LastExpression(), text, -1, PhraseAnswers.Invalid);

    /// <summary>MGSM: the number at the answer phrase of any of its eleven languages, in any wording of the worked examples.</summary>
    public static string InAnyLanguage(string text) => PhraseAnswers.Select(LanguagesExpression(), text, 0, PhraseAnswers.Invalid);

    /// <summary>The number without dollar signs, commas and a final period: "$1,250." is 1250.</summary>
    public static string Clean(string number)
    {
        number = number.Trim().Replace("$", "", StringComparison.Ordinal).Replace(",", "", StringComparison.Ordinal);
        return number.EndsWith('.') ? number[..^1] : number;
    }

    [GeneratedRegex(@"#### (\-?[0-9\.\,]+)", RegexOptions.CultureInvariant)]
    private static partial Regex HashesExpression();

    [GeneratedRegex(@"The answer is (\-?[0-9\.\,]+).", RegexOptions.CultureInvariant)]
    private static partial Regex SentenceExpression();

    [GeneratedRegex(@"(-?[$0-9.,]{2,})|(-?[0-9]+)", RegexOptions.CultureInvariant)]
    private static partial Regex LastExpression();

    // English, German (two wordings: prompt and examples differ), French, Spanish, Russian, Swahili, Bengali, Telugu, Thai, Chinese,
    // Japanese.
    [GeneratedRegex(
        @"(?:The answer is|Die Antwort (?:lautet|ist)|La réponse est|La respuesta es|Ответ —|Jibu ni|উত্তর হল|సమాధానం|คำตอบคือ|答案是|答えは)\s*(\-?\$?[0-9\.\,]+)",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex LanguagesExpression();
}

using System.Text.RegularExpressions;

namespace Engram.Evaluation.Extraction;

/// <summary>Answers behind a fixed phrase.</summary>
public static partial class PhraseAnswers
{
    /// <summary>The answer of a text that holds none (lm-evaluation-harness's word).</summary>
    public const string Invalid = "[invalid]";

    // More than the beginning of a free answer is not searched for a letter.
    private const int LetterWindow = 200;

    /// <summary>
    /// BBH: the rest of the line behind the first "the answer is", without the final period (BIG-Bench-Hard, <c>cot-prompts</c>).
    /// </summary>
    public static string Bbh(string text)
    {
        if (BbhPhrase().Match(text) is not { Success: true } match)
            return Invalid;
        var answer = match.Groups[1].Value.Trim();
        answer = answer.EndsWith('.') ? answer[..^1].TrimEnd() : answer;
        return answer.Length == 0 ? Invalid : answer;
    }

    /// <summary>MMLU-Pro: the letter behind "answer is" (lm-evaluation-harness, <c>tasks/mmlu_pro</c>).</summary>
    public static string MmluPro(string text) => Select(MmluProPhrase(), text, 0, Invalid);

    /// <summary>
    /// The one letter A to J that a free answer to a multiple-choice question names: behind an answer phrase in English or Chinese, else
    /// the first that stands alone.
    /// </summary>
    public static string Letter(string text) => Letters(text) is { Length: > 0 } letters && letters != Invalid ? letters[..1] : Invalid;

    /// <summary>All letters A to J that a free answer names, in order of the alphabet: "AC" for "(A)(C)", "A、C" or "A and C".</summary>
    public static string Letters(string text)
    {
        var head = text[..Math.Min(LetterWindow, text.Length)];
        var named =
            LetterPhrase().Match(text) is { Success: true } phrase ? phrase.Groups[1].Value
            : LettersAlone().Match(head) is { Success: true } alone ? alone.Groups[1].Value
            : "";
        var letters = string.Concat(
            named.Replace("and", "", StringComparison.Ordinal).Where(letter => letter is >= 'A' and <= 'J').Distinct().Order()
        );
        return letters.Length == 0 ? Invalid : letters;
    }

    /// <summary>DROP: the first line, up to its first period that ends a sentence, so "4.5" stays whole.</summary>
    public static string Drop(string text)
    {
        text = text.TrimStart();
        return SentenceEnd().Match(text) is { Success: true } end ? text[..end.Index].Trim() : text.Trim();
    }

    /// <summary>
    /// TriviaQA: up to the first line break, period or comma, the harness's stop strings (lm-evaluation-harness, <c>tasks/triviaqa</c>).
    /// </summary>
    public static string TriviaStop(string text)
    {
        text = text.TrimStart();
        return (text.AsSpan().IndexOfAny('\n', '.', ',') is var end and >= 0 ? text[..end] : text).Trim();
    }

    /// <summary>The selected match of an expression: its first group that is not empty, or itself.</summary>
    internal static string Select(Regex expression, string text, int select, string fallback)
    {
        var matches = expression.Matches(text);
        var index = select < 0 ? matches.Count + select : select;
        if (index < 0 || index >= matches.Count)
            return fallback;
        var match = matches[index];
        var answer =
            match.Groups.Count == 1
                ? match.Value
                : match.Groups.Values.Skip(1).Select(group => group.Value).FirstOrDefault(value => value.Length > 0, "");
        return answer.Trim() is { Length: > 0 } trimmed ? trimmed : fallback;
    }

    [GeneratedRegex("[Tt]he answer is:? *([^\n]*)", RegexOptions.CultureInvariant)]
    private static partial Regex BbhPhrase();

    [GeneratedRegex(@"answer is \(?([ABCDEFGHIJ])\)?", RegexOptions.CultureInvariant)]
    private static partial Regex MmluProPhrase();

    // One letter, or several with commas, brackets or "and" between them.
    private const string LetterList = @"[（(]?([A-J](?:[）)]?\s*(?:[、，,]|and)?\s*[（(]?[A-J](?![a-z]))*)[）)]?(?![A-Za-z'’])";

    [GeneratedRegex(@"(?:[Aa]nswer is|[Aa]nswer:|答案[是为：:]+|故选|选择?)[：: ]*" + LetterList, RegexOptions.CultureInvariant)]
    private static partial Regex LetterPhrase();

    // "A" and "I" before a small letter are words.
    [GeneratedRegex(@"(?<![A-Za-z])" + LetterList + "(?!(?<=[AI]) [a-z])", RegexOptions.CultureInvariant)]
    private static partial Regex LettersAlone();

    [GeneratedRegex(@"\n|\.(?![0-9])", RegexOptions.CultureInvariant)]
    private static partial Regex SentenceEnd();
}

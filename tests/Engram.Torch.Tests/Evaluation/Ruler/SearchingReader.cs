using System.Text.RegularExpressions;

namespace Engram.Torch.Tests.Evaluation.Ruler;

/// <summary>
/// Answers RULER's questions by searching the text that it is shown, as no model would: the proof that the text holds the answer and
/// nothing else is needed.
/// </summary>
internal static partial class SearchingReader
{
    public static string Answer(string task, string context) =>
        task switch
        {
            "vt" => Variables(context),
            "cwe" => string.Join(
                ' ',
                MostFrequent(LastBetween(context, "Keep those in mind.\n", "\nQuestion").Split(' ').Where((_, i) => i % 2 == 1), 10)
            ),
            "fwe" => string.Join(
                ' ',
                MostFrequent(LastBetween(context, "Dots do not count.\n", "\nQuestion").Split(' ').Where(word => word[0] != '.'), 3)
            ),
            "qa_1" => Single(context),
            "qa_2" => TwoHop(context),
            _ => Needles(context),
        };

    private static string Needles(string context)
    {
        var asked = Asked().Match(context[context.LastIndexOf('\n')..]).Groups[1].Value;
        return string.Join(
            ' ',
            asked
                .Split([", ", " and "], StringSplitOptions.None)
                .SelectMany(key =>
                    Regex.Matches(context, $@"One of the special magic \w+ for {key} is: ([\w-]+)\.").Select(match => match.Groups[1].Value)
                )
        );
    }

    private static string Variables(string context)
    {
        var text = context[context.LastIndexOf("Follow the chains", StringComparison.Ordinal)..];
        var value = Held().Match(text).Groups[1].Value;
        var values = new Dictionary<string, string>();
        foreach (Match assignment in Assignment().Matches(text))
            values[assignment.Groups[1].Value] = assignment.Groups[2].Success
                ? values[assignment.Groups[2].Value]
                : assignment.Groups[3].Value;
        return string.Join(' ', values.Where(entry => entry.Value == value).Select(entry => entry.Key));
    }

    private static string Single(string context)
    {
        var question = SingleQuestion().Match(context);
        return Value(context, question.Groups[1].Value, question.Groups[2].Value);
    }

    private static string TwoHop(string context)
    {
        var question = TwoHopQuestion().Match(context);
        return Value(context, Value(context, question.Groups[1].Value, question.Groups[2].Value), question.Groups[3].Value);
    }

    private static string Value(string context, string name, string link) =>
        Regex.Match(context, $@"{name} {link} ([\w ]+)\.").Groups[1].Value;

    private static string LastBetween(string text, string start, string end)
    {
        var from = text.LastIndexOf(start, StringComparison.Ordinal) + start.Length;
        return text[from..text.IndexOf(end, from, StringComparison.Ordinal)];
    }

    /// <summary>The most frequent words, each of them more frequent than any other.</summary>
    private static IEnumerable<string> MostFrequent(IEnumerable<string> words, int count)
    {
        var sorted = words.CountBy(word => word).OrderByDescending(entry => entry.Value).ToArray();
        Assert.True(sorted[count - 1].Value > sorted[count].Value);
        return sorted.Take(count).Select(entry => entry.Key);
    }

    [GeneratedRegex(@"special magic \w+ for (.+?) (?:does the text mention|that the text mentions)\?")]
    private static partial Regex Asked();

    [GeneratedRegex(@"which variables hold the value (\d+) in")]
    private static partial Regex Held();

    [GeneratedRegex(@"VAR ([A-Z]+) = (?:VAR ([A-Z]+)|(\d+))")]
    private static partial Regex Assignment();

    [GeneratedRegex(@"Question: Which is the one thing of which it is said that (\w+ \w+) (\w+) it\?")]
    private static partial Regex SingleQuestion();

    [GeneratedRegex(@"Question: (\w+ \w+) (\w+) something\. Which is the one thing of which it is said that this (\w+) it\?")]
    private static partial Regex TwoHopQuestion();
}

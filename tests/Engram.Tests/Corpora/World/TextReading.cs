using System.Text.RegularExpressions;

namespace Engram.Tests.Corpora.World;

/// <summary>
/// Reads the text of a world with regular expressions alone, counts what it states, and answers questions by looking them up there: the
/// proof that every question can be answered from text.
/// </summary>
internal sealed partial class TextReading
{
    private readonly Dictionary<(string Name, string Link, string Region), string> _values = [];

    public TextReading(IEnumerable<string> documents)
    {
        foreach (var document in documents)
        {
            var region = Heading().Match(document) is { Success: true } heading ? heading.Groups[1].Value : null;
            if (region is null)
            {
                Assert.StartsWith("A note. ", document, StringComparison.Ordinal);
                Notes++;
                continue;
            }

            foreach (var sentence in Sentences(document).Skip(1))
                Read(sentence, region);
        }
    }

    public int Notes { get; private set; }

    public int Sums { get; private set; }

    /// <summary>How often (name, relation, value, manner) is stated.</summary>
    public Dictionary<(string Name, string Link, string Value, string Manner), long> Stated { get; } = [];

    /// <summary>The regions in whose documents (name, relation, value) is stated.</summary>
    public Dictionary<(string Name, string Link, string Value), HashSet<string>> Regions { get; } = [];

    /// <summary>How often (person, relation, second relation, value) is stated.</summary>
    public Dictionary<(string Name, string Link, string Second, string Value), long> TwoHops { get; } = [];

    /// <summary>
    /// How often a value stands behind a relation's word in sentences of a form in documents of a region, whoever is meant.
    /// </summary>
    public Dictionary<(string Region, string Form, string Link, string Value), long> Behind { get; } = [];

    public HashSet<(int A, int B)> AddedPairs { get; } = [];

    public static IEnumerable<string> Sentences(string document) =>
        document.Split('.', StringSplitOptions.RemoveEmptyEntries).Select(sentence => sentence.Trim());

    /// <summary>What continues the prompt, by the text, or by the prompt's own passage.</summary>
    public string Answer(string prompt)
    {
        if (prompt.StartsWith("A note. ", StringComparison.Ordinal))
        {
            var asked = Recall().Match(prompt);
            return Regex.Match(prompt, $@"that {asked.Groups[1].Value} {asked.Groups[2].Value} (\w+)").Groups[1].Value;
        }

        var region = Heading().Match(prompt).Groups[1].Value;
        var question = Sentences(prompt).Last();
        if (Sum().Match(question) is { Success: true } sum)
            return $"{int.Parse(sum.Groups[1].Value) + int.Parse(sum.Groups[2].Value)}";
        if (TwoHop().Match(question) is { Success: true } hop)
            return Value(Value(hop.Groups[1].Value, hop.Groups[2].Value, region), hop.Groups[3].Value, region);
        var (name, link, _, _) = Statement(question);
        return Value(name, link, region);
    }

    /// <summary>
    /// What a question shows beside the names: the region, the form of its sentence and the word of the relation that is asked for.
    /// </summary>
    public static (string Region, string Form, string Link) Form(string question)
    {
        var (region, sentence) = (Heading().Match(question).Groups[1].Value, Sentences(question).Last());
        if (TwoHop().Match(sentence) is { Success: true } hop)
            return (region, "TwoHop", hop.Groups[3].Value);
        var (_, link, _, manner) = Statement(sentence);
        return (region, manner, link);
    }

    private string Value(string name, string link, string region) =>
        _values.TryGetValue((name, link, region), out var value) ? value : _values[(name, link, "")];

    private void Read(string sentence, string region)
    {
        if (Sum().Match(sentence) is { Success: true } sum)
        {
            var (a, b) = (int.Parse(sum.Groups[1].Value), int.Parse(sum.Groups[2].Value));
            Assert.Equal(a + b, int.Parse(sum.Groups[3].Value));
            AddedPairs.Add((a, b));
            Sums++;
            return;
        }

        if (TwoHop().Match(sentence) is { Success: true } hop)
        {
            var key = (hop.Groups[1].Value, hop.Groups[2].Value, hop.Groups[3].Value, WithoutTail(hop.Groups[4].Value));
            TwoHops[key] = TwoHops.GetValueOrDefault(key) + 1;
            Count(region, "TwoHop", key.Item3, key.Item4);
            return;
        }

        var (name, link, value, manner) = Statement(sentence);
        Stated[(name, link, value, manner)] = Stated.GetValueOrDefault((name, link, value, manner)) + 1;
        Count(region, manner, link, value);
        if (!Regions.TryGetValue((name, link, value), out var regions))
            Regions[(name, link, value)] = regions = [];
        regions.Add(region);
        _values[(name, link, region)] = value;
        _values[(name, link, "")] = value;
    }

    private void Count(string region, string form, string link, string value) =>
        Behind[(region, form, link, value)] = Behind.GetValueOrDefault((region, form, link, value)) + 1;

    private static (string Name, string Link, string Value, string Manner) Statement(string sentence)
    {
        foreach (var (form, manner) in new[] { (Scattered(), "Scattered"), (Separated(), "Separated"), (Contiguous(), "Contiguous") })
            if (form.Match(sentence) is { Success: true } match)
                return (
                    $"{match.Groups["first"].Value} {match.Groups["last"].Value}",
                    match.Groups["link"].Value,
                    WithoutTail(match.Groups["value"].Value),
                    manner
                );
        throw new InvalidDataException($"no known form: {sentence}");
    }

    private static string WithoutTail(string value) => Tail().Replace(value, "").Trim();

    [GeneratedRegex(@"^A tale of the (\w+)\.")]
    private static partial Regex Heading();

    [GeneratedRegex(@"^\w+ count that (\d+) \+ (\d+) =(?: (\d+))?$")]
    private static partial Regex Sum();

    [GeneratedRegex(@"^\w+ \w+ that the (?:town|book) that (\w+ \w+) (\w+) (\w+)(.*)$")]
    private static partial Regex TwoHop();

    [GeneratedRegex(@"^\w+ \w+ that (?<first>\w+), \w+ of the (?<last>\w+) \w+ and \w+ by \w+, (?<link>\w+)(?<value>.*)$")]
    private static partial Regex Scattered();

    [GeneratedRegex(@"^\w+ \w+ that (?<first>\w+) (?<last>\w+), \w+ by \w+, (?<link>\w+)(?<value>.*)$")]
    private static partial Regex Separated();

    [GeneratedRegex(@"^\w+ \w+ that (?<first>\w+) (?<last>\w+) (?<link>\w+)(?<value>.*)$")]
    private static partial Regex Contiguous();

    [GeneratedRegex(@"This note says that (\w+ \w+) (\w+)$")]
    private static partial Regex Recall();

    [GeneratedRegex(@" (to this day|in winter|in summer|as ever|at dawn|by night|without fail)$")]
    private static partial Regex Tail();
}

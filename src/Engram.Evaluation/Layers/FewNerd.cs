using System.Text;
using System.Text.Json;
using Engram.Corpora.Files;

namespace Engram.Evaluation.Layers;

/// <summary>
/// Sentences of Few-NERD, marked at the end of every entity: the data set's text form (a word, TAB, a label, one per line; an empty line
/// between sentences) or that of its distribution as JSON Lines (<c>tokens</c>, <c>fine_ner_tags</c> or <c>ner_tags</c>). Words are joined
/// by spaces. The labels have no beginnings, so that neighbouring entities of one label are one.
/// </summary>
public static class FewNerd
{
    private const string Outside = "O";

    /// <summary>The sentences of a file that hold an entity.</summary>
    /// <param name="path">The file; <c>.jsonl</c> is JSON Lines.</param>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">A line is neither; the message names it.</exception>
    public static IEnumerable<MarkedText> Read(string path) =>
        (Path.GetExtension(path) == ".jsonl" ? JsonSentences(path) : LabelledLines(path)).Select(Marked).Where(text => text.Ends.Count > 0);

    private static MarkedText Marked(List<(string Word, string Label)> words)
    {
        var (text, ends) = (new StringBuilder(), new List<int>());
        for (var i = 0; i < words.Count; i++)
        {
            text.Append(i > 0 ? " " : "").Append(words[i].Word);
            if (words[i].Label != Outside && (i + 1 == words.Count || words[i + 1].Label != words[i].Label))
                ends.Add(text.Length);
        }

        return new MarkedText(text.ToString(), ends);
    }

    private static IEnumerable<List<(string Word, string Label)>> LabelledLines(string path)
    {
        var words = new List<(string, string)>();
        var number = 0;
        foreach (var line in Lines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                if (words.Count > 0)
                    yield return words;
                words = [];
                continue;
            }

            if (line.Split('\t') is not [{ Length: > 0 } word, { Length: > 0 } label])
                throw new InvalidDataException($"{path}:{number}: expected a word, TAB and a label.");
            words.Add((word, label));
        }

        if (words.Count > 0)
            yield return words;
    }

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path, TextFile.StrictUtf8);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException($"{path}: not UTF-8 text. Convert it to UTF-8, for example with iconv.", error);
        }
    }

    private static IEnumerable<List<(string Word, string Label)>> JsonSentences(string path)
    {
        var number = 0;
        foreach (var line in Lines(path))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
                yield return Sentence(line, $"{path}:{number}");
        }
    }

    private static List<(string Word, string Label)> Sentence(string line, string place)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{place}: expected a JSON object.");
            var row = json.RootElement;
            var words = Column(row, place, "tokens").EnumerateArray().Select(word => word.GetString()!).ToList();
            var tags = Column(row, place, "fine_ner_tags", "ner_tags").EnumerateArray().Select(tag => tag.GetInt32()).ToList();
            return words.Count == tags.Count
                ? [.. words.Zip(tags, (word, tag) => (word, tag == 0 ? Outside : $"{tag}"))]
                : throw new InvalidDataException($"{place}: {words.Count} tokens have {tags.Count} tags.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{place}: not a sentence of Few-NERD ({error.Message}).", error);
        }
    }

    private static JsonElement Column(JsonElement row, string place, params string[] names)
    {
        foreach (var name in names)
            if (row.TryGetProperty(name, out var column))
                return column;
        throw new InvalidDataException(
            $"{place}: no {string.Join(" or ", names)}; the line has {string.Join(", ", row.EnumerateObject().Take(8).Select(property => property.Name))}."
        );
    }
}

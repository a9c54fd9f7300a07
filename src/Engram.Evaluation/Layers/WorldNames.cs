using System.Text.Json;
using Engram.Corpora.Files;
using Engram.Corpora.World;

namespace Engram.Evaluation.Layers;

/// <summary>Documents of a synthetic world, marked at the end of every name that a fact is about.</summary>
public static class WorldNames
{
    /// <summary>The documents that hold a name, in the order of the files.</summary>
    /// <param name="folder">A folder that <c>engram data world</c> has made.</param>
    /// <exception cref="FileNotFoundException">It holds no world.</exception>
    /// <exception cref="InvalidDataException">A file is damaged; the message names it.</exception>
    public static IEnumerable<MarkedText> Read(string folder)
    {
        _ = WorldSummary.Read(folder);
        var names = Fields(Path.Combine(folder, WorldFolder.FactFileName), "subject")
            .Distinct()
            .GroupBy(name => name.Split(' ')[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(name => name.Length).ToArray());
        foreach (var part in Directory.GetFiles(Path.Combine(folder, WorldFolder.Text), "*.jsonl").Order(StringComparer.Ordinal))
        foreach (var text in Fields(part, "text"))
            if (Ends(text, names) is { Count: > 0 } ends)
                yield return new MarkedText(text, ends);
    }

    /// <summary>Where names end: at each word the longest that begins there, and none inside another.</summary>
    internal static List<int> Ends(string text, IReadOnlyDictionary<string, string[]> namesByFirstWord)
    {
        var ends = new List<int>();
        for (var at = 0; at < text.Length; at++)
        {
            if (!char.IsLetterOrDigit(text[at]) || (at > 0 && char.IsLetterOrDigit(text[at - 1])))
                continue;
            var word = at;
            while (word < text.Length && char.IsLetterOrDigit(text[word]))
                word++;
            if (!namesByFirstWord.TryGetValue(text[at..word], out var names))
                continue;
            var begin = at;
            if (
                names.FirstOrDefault(name =>
                    text.AsSpan(begin).StartsWith(name, StringComparison.Ordinal)
                    && (begin + name.Length == text.Length || !char.IsLetterOrDigit(text[begin + name.Length]))
                )
                is not { } found
            )
                continue;
            ends.Add(begin + found.Length);
            at = begin + found.Length - 1;
        }

        return ends;
    }

    private static IEnumerable<string> Fields(string path, string field)
    {
        var number = 0;
        foreach (var line in File.ReadLines(path, TextFile.StrictUtf8))
        {
            number++;
            string value;
            try
            {
                using var json = JsonDocument.Parse(line);
                value = JsonText.Of(
                    json.RootElement,
                    $"{path}:{number}",
                    new TextField(field, "Make the world again with engram data world.")
                );
            }
            catch (JsonException error)
            {
                throw new InvalidDataException($"{path}:{number}: not JSON ({error.Message}).", error);
            }

            yield return value;
        }
    }
}

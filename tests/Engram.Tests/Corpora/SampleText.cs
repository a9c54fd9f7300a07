using System.Text;
using System.Text.Json;
using Engram.Corpora.Files;

namespace Engram.Tests.Corpora;

/// <summary>Made-up text: sentences of random words, so that no two documents resemble each other.</summary>
internal static class SampleText
{
    private static readonly string[] Syllables =
    [
        "ka",
        "lo",
        "mi",
        "ne",
        "tu",
        "ra",
        "so",
        "vi",
        "pe",
        "du",
        "gan",
        "fol",
        "tir",
        "mes",
        "bur",
    ];

    public static string Sentence(Random random, int words)
    {
        var text = new StringBuilder();
        for (var i = 0; i < words; i++)
        {
            text.Append(i == 0 ? "" : " ");
            for (var syllables = random.Next(1, 5); syllables > 0; syllables--)
                text.Append(Syllables[random.Next(Syllables.Length)]);
        }
        return text.Append('.').ToString();
    }

    public static Document[] Documents(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => new Document($"d{i}", Sentence(random, random.Next(5, 60))))];
    }

    public static string WriteJsonLines(string path, IEnumerable<string> texts)
    {
        File.WriteAllLines(path, texts.Select(text => JsonSerializer.Serialize(new { text })));
        return path;
    }

    public static string WriteJsonLines(string path, IEnumerable<Document> documents) =>
        WriteJsonLines(path, documents.Select(document => document.Text));
}

using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Engram.Storage;

namespace Engram.Corpora.World;

/// <summary>The files of a world line by line, and their hashes.</summary>
internal static class WorldLines
{
    // Spaces and letters as they are; the files are no web pages.
    private static readonly JsonWriterOptions Lines = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes things, a line each.</summary>
    /// <returns>How many.</returns>
    public static int Write<T>(
        string folder,
        string name,
        IEnumerable<T> things,
        Action<Utf8JsonWriter, T> write,
        SortedDictionary<string, string> files
    )
    {
        var count = 0;
        WriteFile(
            folder,
            name,
            stream =>
            {
                foreach (var thing in things)
                {
                    Write(stream, json => write(json, thing));
                    count++;
                }
            },
            files
        );
        return count;
    }

    /// <summary>Writes a file, in place of the one that is there if there is one.</summary>
    public static void WriteFile(string folder, string name, Action<Stream> write, SortedDictionary<string, string> files)
    {
        var path = Path.Combine(folder, name);
        AtomicFile.Write(path, write);
        files[name] = Hash(path);
    }

    /// <summary>sha256 of a file, in hex.</summary>
    public static string Hash(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    /// <summary>Writes an object as a line.</summary>
    public static void Write(Stream stream, Action<Utf8JsonWriter> fields)
    {
        using (var json = new Utf8JsonWriter(stream, Lines))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }

    /// <summary>A fact.</summary>
    public static void Of(Utf8JsonWriter json, Fact fact)
    {
        json.WriteNumber("id", fact.Id);
        json.WriteString("subject", fact.Subject.Name);
        json.WriteString("subject_kind", Word(fact.Subject.Kind));
        json.WriteString("relation", fact.Relation.Link);
        json.WriteString("value", fact.Value);
        json.WriteString("key", Word(fact.Key));
        json.WriteBoolean("contiguous", fact.Key == FactKey.Contiguous);
        json.WriteNumber("exposures", fact.Exposures);
        json.WriteString("band", Frequencies.Band(fact.Exposures));
        json.WriteString("region", fact.Region);
        json.WriteBoolean("out_of_distribution", fact.OutOfDistribution);
        json.WriteNumber("bits", Math.Round(fact.Bits, 6));
    }

    /// <summary>A two-hop.</summary>
    public static void Of(Utf8JsonWriter json, Composition composition)
    {
        json.WriteNumber("id", composition.Id);
        json.WriteNumber("first", composition.First.Id);
        json.WriteNumber("second", composition.Second.Id);
        json.WriteString("split", Word(composition.Split));
    }

    /// <summary>A question.</summary>
    public static void Of(Utf8JsonWriter json, WorldQuestion question)
    {
        json.WriteString("kind", question.Kind);
        json.WriteNumber("index", question.Index);
        json.WriteNumber("version", WorldQuestions.Version);
        json.WriteString("band", Frequencies.Band(question.Exposures));
        json.WriteNumber("exposures", question.Exposures);
        json.WriteString("key", question.Key is { } key ? Word(key) : null);
        if (question.Key is null)
            json.WriteNull("contiguous");
        else
            json.WriteBoolean("contiguous", question.Key == FactKey.Contiguous);
        json.WriteString("split", question.Split is { } split ? Word(split) : null);
        json.WriteString("region", question.Region);
        json.WriteString("passage", question.Passage);
        json.WriteString("question", question.Question);
        json.WriteString("prompt", question.Prompt);
        json.WriteString("answer", question.Answer);
        json.WriteStartArray("choices");
        foreach (var choice in question.Choices)
            json.WriteStringValue(choice);
        json.WriteEndArray();
        json.WriteNumber("gold", question.Gold);
        json.WriteString("trained", question.Trained);
        json.WriteStartArray("facts");
        foreach (var fact in question.Facts)
            json.WriteNumberValue(fact);
        json.WriteEndArray();
        json.WriteNumber("bits", Math.Round(question.Bits, 6));
    }

    private static string Word<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}

using System.Text;
using System.Text.Json;

namespace Engram.Corpora;

/// <summary>JSON Lines: one object per line, its text in one string field. Empty lines are skipped.</summary>
internal static class JsonLinesFile
{
    internal static IEnumerable<Document> Read(string path, string name, string field)
    {
        using var reader = new StreamReader(path, TextFile.StrictUtf8);
        for (var number = 1; ReadLine(reader, name, number) is { } line; number++)
            if (!string.IsNullOrWhiteSpace(line))
                yield return new Document($"{name}:{number}", TextOf(line, $"{name}:{number}", field));
    }

    private static string? ReadLine(StreamReader reader, string name, int number)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException error)
        {
            // The reader decodes ahead of the line that it returns.
            throw new InvalidDataException($"{name}: not UTF-8 text, at or soon after line {number}.", error);
        }
    }

    private static string TextOf(string line, string place, string field)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{place}: expected a JSON object, found {json.RootElement.ValueKind}.");
            if (!json.RootElement.TryGetProperty(field, out var text))
                throw new InvalidDataException($"{place}: no field \"{field}\"; the line has {FieldNames(json.RootElement)}. Name the text field in the options.");
            if (text.ValueKind != JsonValueKind.String)
                throw new InvalidDataException($"{place}: field \"{field}\" is {text.ValueKind}, not a string.");
            return text.GetString()!;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{place}: not JSON (column {error.BytePositionInLine + 1}).", error);
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{place}: field \"{field}\" holds half a surrogate pair.", error);
        }
    }

    private static string FieldNames(JsonElement line)
    {
        var names = line.EnumerateObject().Take(8).Select(property => $"\"{property.Name}\"").ToArray();
        return names.Length == 0 ? "no fields" : string.Join(", ", names);
    }
}

using System.Text.Json;

namespace Engram.Corpora.Files;

/// <summary>
/// A .json file: an array of objects or strings, a document each; one object; or JSON Lines under this name, as many data sets have them.
/// </summary>
internal static class JsonFile
{
    /// <summary>The documents, in order.</summary>
    public static IEnumerable<Document> Read(Stream content, string name, TextField field, BadInputs bad)
    {
        using var bytes = new MemoryStream();
        content.CopyTo(bytes);
        bytes.Position = 0;
        if (IsLines(bytes))
        {
            bytes.Position = 0;
            foreach (var line in JsonLinesFile.Read(bytes, name, field, bad))
                yield return line;
            yield break;
        }

        using var json = Parse(bytes, name);
        var single = json.RootElement.ValueKind != JsonValueKind.Array;
        var number = 0;
        foreach (var value in single ? [json.RootElement] : json.RootElement.EnumerateArray().AsEnumerable())
            if (DocumentOf(value, single ? name : $"{name}[{number++}]", field, bad) is { } document)
                yield return document;
    }

    private static Document? DocumentOf(JsonElement value, string place, TextField field, BadInputs bad)
    {
        try
        {
            return new Document(place, JsonText.Of(value, place, field));
        }
        catch (InvalidDataException error)
        {
            bad.Add(error);
            return null;
        }
    }

    private static JsonDocument Parse(MemoryStream bytes, string name)
    {
        try
        {
            bytes.Position = 0;
            return JsonDocument.Parse(bytes);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{name}:{error.LineNumber + 1}: not JSON (column {error.BytePositionInLine + 1}).", error);
        }
    }

    /// <summary>Whether the first line is a whole object and another one follows it.</summary>
    private static bool IsLines(MemoryStream bytes)
    {
        var reader = new Utf8JsonReader(
            bytes.GetBuffer().AsSpan(0, (int)bytes.Length),
            new JsonReaderOptions { AllowMultipleValues = true }
        );
        try
        {
            return reader.Read()
                && reader.TokenType == JsonTokenType.StartObject
                && reader.TrySkip()
                && reader.Read()
                && reader.TokenType == JsonTokenType.StartObject;
        }
        catch (JsonException)
        {
            // Whoever reads the file as one value says where it is damaged.
            return false;
        }
    }
}

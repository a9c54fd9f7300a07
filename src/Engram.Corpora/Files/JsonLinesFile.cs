using System.Text;
using System.Text.Json;

namespace Engram.Corpora.Files;

/// <summary>JSON Lines: one object per line, its text in one TextField field. Empty lines are skipped.</summary>
internal static class JsonLinesFile
{
    /// <summary>The documents, in order.</summary>
    public static IEnumerable<Document> Read(Stream content, string name, TextField field, BadInputs bad)
    {
        using var reader = new StreamReader(
            content,
            TextFile.StrictUtf8,
            detectEncodingFromByteOrderMarks: true,
            bufferSize: -1,
            leaveOpen: true
        );
        for (var number = 1; ReadLine(reader, name, number) is { } line; number++)
            if (!string.IsNullOrWhiteSpace(line) && DocumentOf(line, $"{name}:{number}", field, bad) is { } document)
                yield return document;
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

    private static Document? DocumentOf(string line, string place, TextField field, BadInputs bad)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return new Document(place, JsonText.Of(json.RootElement, place, field));
        }
        catch (JsonException error)
        {
            bad.Add(new InvalidDataException($"{place}: not JSON (column {error.BytePositionInLine + 1}).", error));
        }
        catch (InvalidDataException error)
        {
            bad.Add(error);
        }

        return null;
    }
}

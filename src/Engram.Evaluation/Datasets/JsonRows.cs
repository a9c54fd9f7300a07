using System.Text.Json;
using System.Text.Json.Nodes;

namespace Engram.Evaluation.Datasets;

/// <summary>Rows of JSON Lines and of JSON files.</summary>
internal static class JsonRows
{
    // Of a name that stands twice nobody knows which value is meant.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>One object a line; empty lines are skipped.</summary>
    public static IEnumerable<DatasetRow> ReadLines(byte[] content, string name, DatasetFormat format)
    {
        using var reader = new StringReader(DatasetReader.Decode(content, name, format));
        for (var number = 1; reader.ReadLine() is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            var place = $"{name}:{number}";
            yield return new DatasetRow(
                name,
                place,
                Parse(line, place) as JsonObject ?? throw new InvalidDataException($"{place}: no JSON object. Mend or delete the row.")
            );
        }
    }

    /// <summary>A list at the place that the format names; JSON Lines under this name too. Items that are no objects become rows with the
    /// one column
    /// "value".</summary>
    public static IEnumerable<DatasetRow> Read(byte[] content, string name, DatasetFormat format)
    {
        var text = DatasetReader.Decode(content, name, format);
        return IsLines(text) ? ReadLines(content, name, format) : ReadWhole(text, name, format.Rows);
    }

    private static IEnumerable<DatasetRow> ReadWhole(string text, string name, string? rows)
    {
        JsonNode? node;
        try
        {
            node = JsonNode.Parse(text, documentOptions: Strict);
        }
        catch (JsonException error)
        {
            throw DatasetReader.NotJson($"{name}:{error.LineNumber + 1}", error);
        }

        string[] steps = rows?.Split('.') ?? [];
        foreach (var step in steps)
        {
            if (step == "*")
                break;
            node =
                node is JsonObject known && known[step] is { } next
                    ? next
                    : throw new InvalidDataException(
                        $"{name}: no \"{step}\" on the way to the rows (\"{rows}\"). Check \"rows\" in the task file, or the data set's version."
                    );
        }

        if (steps is [.., "*"])
            return node is JsonObject entries
                ? Values(entries, name)
                : throw new InvalidDataException(
                    $"{name}: no JSON object at \"{rows}\". Check \"rows\" in the task file, or the data set's version."
                );
        return node is JsonArray list
            ? Items(list, name)
            : throw new InvalidDataException(
                $"{name}: no JSON list{(rows is null ? "" : $" at \"{rows}\"")}. Check \"rows\" in the task file, or the data set's version."
            );
    }

    private static IEnumerable<DatasetRow> Items(JsonArray list, string name)
    {
        for (var i = 0; i < list.Count; i++)
            yield return new DatasetRow(
                name,
                $"{name}[{i}]",
                list[i] is JsonObject row ? (JsonObject)row.DeepClone() : new JsonObject { ["value"] = list[i]?.DeepClone() }
            );
    }

    private static IEnumerable<DatasetRow> Values(JsonObject entries, string name)
    {
        foreach (var (key, value) in entries)
        {
            var row = value is JsonObject columns ? (JsonObject)columns.DeepClone() : new JsonObject { ["value"] = value?.DeepClone() };
            row["_key"] = key;
            yield return new DatasetRow(name, $"{name}[{key}]", row);
        }
    }

    private static JsonNode? Parse(string line, string place)
    {
        try
        {
            return JsonNode.Parse(line, documentOptions: Strict);
        }
        catch (JsonException error)
        {
            throw DatasetReader.NotJson(place, error);
        }
    }

    /// <summary>Whether the first line is a whole object and another object follows.</summary>
    private static bool IsLines(string text)
    {
        var lines = text.TrimStart().Split('\n', 3);
        if (lines.Length < 2 || !lines[0].StartsWith('{') || !lines[1].StartsWith('{'))
            return false;
        try
        {
            return JsonNode.Parse(lines[0]) is JsonObject;
        }
        catch (JsonException)
        {
            return false; // an object over several lines
        }
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Datasets;

/// <summary>One row of a data set.</summary>
/// <param name="File">The file that it stands in, as messages name it.</param>
/// <param name="Place">File and row ("test.jsonl:12"), for messages.</param>
/// <param name="Values">Its columns.</param>
public sealed record DatasetRow(string File, string Place, JsonObject Values)
{
    /// <summary>What to do where the row has not what is wanted of it, as the end of a message.</summary>
    public string Remedy { get; init; } = "Check the data set's version.";

    /// <summary>The value of a column.</summary>
    /// <exception cref="InvalidDataException">There is no such column, or its value is null.</exception>
    public JsonNode Value(string column) =>
        Values[column]
        ?? throw new InvalidDataException(
            Values.ContainsKey(column)
                ? $"{Place}: column \"{column}\" is null. Mend or delete the row."
                : $"{Place}: no column \"{column}\"; the row has {string.Join(", ", Values.Take(12).Select(known => $"\"{known.Key}\""))}.{NearestNames.Ask(column, Values.Select(known => known.Key))} {Remedy}"
        );

    /// <summary>The value of the first column that the row has, null values not counted.</summary>
    /// <exception cref="InvalidDataException">It has none of them.</exception>
    public JsonNode Value(string column, string otherwise) => Values[column] ?? Value(otherwise);

    /// <summary>A column's text; numbers as they are written.</summary>
    public string Text(string column) => TextOf(Value(column), column);

    /// <summary>The text of the first column that the row has.</summary>
    public string Text(string column, string otherwise) => TextOf(Value(column, otherwise), column);

    /// <summary>A column's list of texts.</summary>
    /// <exception cref="InvalidDataException">The column holds no list.</exception>
    public IReadOnlyList<string> Texts(string column) =>
        Value(column) is JsonArray list
            ? [.. list.Select(item => TextOf(item, column))]
            : throw new InvalidDataException($"{Place}: column \"{column}\" holds {Describe(Value(column))}, not a list. {Remedy}");

    /// <summary>A column's list.</summary>
    /// <exception cref="InvalidDataException">The column holds no list.</exception>
    public JsonArray List(string column) =>
        Value(column) as JsonArray
        ?? throw new InvalidDataException($"{Place}: column \"{column}\" holds {Describe(Value(column))}, not a list. {Remedy}");

    /// <summary>A column's object.</summary>
    /// <exception cref="InvalidDataException">The column holds no object.</exception>
    public JsonObject Object(string column) =>
        Value(column) as JsonObject
        ?? throw new InvalidDataException($"{Place}: column \"{column}\" holds {Describe(Value(column))}, not an object. {Remedy}");

    /// <summary>The row with further columns, which replace those of the same name.</summary>
    public DatasetRow With(params ReadOnlySpan<(string Name, JsonNode? Value)> columns)
    {
        var values = (JsonObject)Values.DeepClone();
        foreach (var (name, value) in columns)
            values[name] = value;
        return this with { Values = values };
    }

    /// <summary>A list of texts as a JSON array.</summary>
    internal static JsonArray ListOf(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode)JsonValue.Create(text))];

    internal string TextOf(JsonNode? value, string column)
    {
        try
        {
            return value switch
            {
                JsonValue text when text.GetValueKind() == JsonValueKind.String => text.GetValue<string>(),
                JsonValue number => number.ToJsonString(),
                _ => throw new InvalidDataException($"{Place}: column \"{column}\" holds {Describe(value)}, not text. {Remedy}"),
            };
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidDataException($"{Place}: column \"{column}\" holds half a character. Mend or delete the row.", error);
        }
    }

    private static string Describe(JsonNode? value) =>
        value switch
        {
            null => "null",
            JsonArray => "a list",
            JsonObject => "an object",
            _ => "a single value",
        };
}

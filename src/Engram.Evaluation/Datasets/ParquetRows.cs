using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;
using Parquet.Serialization;

namespace Engram.Evaluation.Datasets;

/// <summary>Rows of Parquet files, lists and structures included: the layout of the Hugging Face hub.</summary>
internal static class ParquetRows
{
    /// <summary>The rows, in order.</summary>
    public static IEnumerable<DatasetRow> Read(byte[] content, string name)
    {
        IList<Dictionary<string, object?>> rows;
        try
        {
            using var stream = new MemoryStream(content, writable: false);
            rows = ParquetSerializer.DeserializeUntypedAsync(stream).GetAwaiter().GetResult().Data!;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // A damaged file shows as any of the errors of its reader.
            throw new InvalidDataException(
                $"{name}: no readable Parquet: {error.Message.ReplaceLineEndings(" ")} Fetch the file again.",
                error
            );
        }

        for (var i = 0; i < rows.Count; i++)
            yield return new DatasetRow(name, $"{name}:{i + 1}", ObjectOf(rows[i]));
    }

    private static JsonObject ObjectOf(IDictionary columns)
    {
        var values = new JsonObject();
        foreach (DictionaryEntry column in columns)
            values[(string)column.Key] = NodeOf(column.Value);
        return values;
    }

    private static JsonNode? NodeOf(object? value) =>
        value switch
        {
            null => null,
            string text => JsonValue.Create(text),
            ReadOnlyMemory<char> text => JsonValue.Create(text.ToString()),
            bool flag => JsonValue.Create(flag),
            sbyte or byte or short or ushort or int or uint or long => JsonValue.Create(
                Convert.ToInt64(value, CultureInfo.InvariantCulture)
            ),
            ulong large => JsonValue.Create(large),
            float or double => JsonValue.Create(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
            decimal number => JsonValue.Create(number),
            byte[] bytes => JsonValue.Create(Convert.ToBase64String(bytes)),
            DateTime time => JsonValue.Create(time.ToString("O", CultureInfo.InvariantCulture)),
            IDictionary columns => ObjectOf(columns),
            IEnumerable items => new JsonArray([.. items.Cast<object?>().Select(NodeOf)]),
            _ => JsonValue.Create(Convert.ToString(value, CultureInfo.InvariantCulture)),
        };
}

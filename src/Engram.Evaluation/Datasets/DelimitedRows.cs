using System.Text.Json.Nodes;
using nietras.SeparatedValues;

namespace Engram.Evaluation.Datasets;

/// <summary>
/// Rows of CSV (the separator is found from the first line) and TSV files. Values in quotes may hold separators and line ends. All values
/// are text.
/// </summary>
internal static class DelimitedRows
{
    /// <summary>The rows, in order; a column without a name is called "_" and its number from 0.</summary>
    public static IEnumerable<DatasetRow> Read(byte[] content, string name, DatasetFormat format, bool tabs)
    {
        var text = DatasetReader.Decode(content, name, format);
        if (string.IsNullOrWhiteSpace(text))
            throw new InvalidDataException($"{name}: empty. Fetch the file again.");
        var separator = tabs ? '\t' : SeparatorOf(text);
        var columns = format.Columns;
        var number = 0;
        foreach (var (line, values) in Records(text, separator, name, quotes: !tabs || columns is null))
        {
            if (columns is null)
            {
                columns = [.. values.Select((column, i) => column.Length > 0 ? column : $"_{i}")];
                if (columns.Distinct().Count() < columns.Count)
                    throw new InvalidDataException(
                        $"{name}: two columns have the same name in the header {string.Join(", ", columns)}. Name the columns in the task file if the file has no header."
                    );
                continue;
            }
            var place = $"{name}:{line}";
            if (values.Length != columns.Count)
                throw new InvalidDataException(
                    $"{place}: {values.Length} values where there are {columns.Count} columns ({string.Join(", ", columns.Take(8))}). Mend the row; check its quotes."
                );
            var row = new JsonObject { ["_index"] = number++ };
            for (var i = 0; i < values.Length; i++)
                row[columns[i]] = values[i];
            yield return new DatasetRow(name, place, row);
        }
    }

    /// <summary>Of comma, semicolon and tab the one that the first line has most of.</summary>
    private static char SeparatorOf(string text)
    {
        var end = text.IndexOf('\n');
        var line = end < 0 ? text : text[..end];
        return ",;\t".MaxBy(candidate => line.Count(letter => letter == candidate));
    }

    private static IEnumerable<(int Line, string[] Values)> Records(string text, char separator, string name, bool quotes)
    {
        using var reader = Sep.New(separator)
            .Reader(options =>
                options with
                {
                    HasHeader = false,
                    Unescape = quotes,
                    DisableQuotesParsing = !quotes,
                    DisableColCountCheck = true,
                }
            )
            .FromText(text);
        while (Guarded(reader, name))
        {
            var row = reader.Current;
            if (row.ColCount == 1 && row.Span.Trim().IsEmpty)
                continue;
            var values = new string[row.ColCount];
            for (var i = 0; i < values.Length; i++)
                values[i] = row[i].ToString();
            yield return (row.LineNumberFrom, values);
        }
    }

    private static bool Guarded(SepReader reader, string name)
    {
        try
        {
            return reader.MoveNext();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            throw new InvalidDataException($"{name}: no readable table: {error.Message.ReplaceLineEndings(" ")} Check its quotes.", error);
        }
    }
}

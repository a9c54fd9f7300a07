using nietras.SeparatedValues;

namespace Engram.Corpora.Files;

/// <summary>
/// Tables of text with a header: .csv (the separator is found from the header) and .tsv. Values in quotes may hold separators and line
/// ends.
/// </summary>
internal static class DelimitedFile
{
    /// <summary>The documents of a .csv file, in order.</summary>
    public static IEnumerable<Document> ReadCommas(Stream content, string name, string field, BadInputs bad) =>
        Read(Sep.Auto, content, name, field, bad);

    /// <summary>The documents of a .tsv file, in order.</summary>
    public static IEnumerable<Document> ReadTabs(Stream content, string name, string field, BadInputs bad) =>
        Read(Sep.New('\t'), content, name, field, bad);

    private static IEnumerable<Document> Read(Sep? separator, Stream content, string name, string field, BadInputs bad)
    {
        using var text = new StreamReader(
            content,
            TextFile.StrictUtf8,
            detectEncodingFromByteOrderMarks: true,
            bufferSize: -1,
            leaveOpen: true
        );
        using var reader = Sep.Reader(options => options with { Sep = separator, Unescape = true, DisableColCountCheck = true }).From(text);
        if (!reader.Header.TryIndexOf(field, out var column))
            throw new InvalidDataException(
                $"{name}: no column \"{field}\"; the header has "
                    + $"{string.Join(", ", reader.Header.ColNames.Take(8).Select(known => $"\"{known}\""))}. Name the text column in the "
                    + "options."
            );
        var columns = reader.Header.ColNames.Count;
        while (reader.MoveNext())
        {
            var row = reader.Current;
            var place = $"{name}:{row.LineNumberFrom}";
            // An empty line is no row.
            if (row.ColCount == 1 && columns > 1 && row.Span.Trim().IsEmpty)
                continue;
            if (row.ColCount != columns)
                bad.Add(new InvalidDataException($"{place}: {row.ColCount} values, but the header has {columns} columns."));
            else
                yield return new Document(place, row[column].ToString());
        }
    }
}

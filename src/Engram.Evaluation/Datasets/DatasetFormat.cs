namespace Engram.Evaluation.Datasets;

/// <summary>How the rows of a file are found, where its name does not say it all.</summary>
public sealed record DatasetFormat
{
    /// <summary>
    /// Where in a JSON file the rows stand: names divided by periods, at the end perhaps "*" for the values of an object, each of which
    /// gets its name as the column "_key". Null: the whole file, which is a list.
    /// </summary>
    public string? Rows { get; init; }

    /// <summary>Names of the columns of a CSV or TSV file without a header. Null: its first line is the header.</summary>
    public IReadOnlyList<string>? Columns { get; init; }

    /// <summary>
    /// The character encoding of a text file that is not UTF-8, for example "macintosh". Files that are UTF-8 are read as such whatever
    /// stands here.
    /// </summary>
    public string? OtherEncoding { get; init; }
}

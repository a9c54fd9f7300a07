using System.Text;

namespace Engram.Corpora.Files;

/// <summary>
/// The files that documents are read from. The end of the name says how: what it holds, then, if it is compressed, with what.
/// </summary>
internal static class DocumentFile
{
    private delegate IEnumerable<Document> Reader(Stream content, string name, TextField field, BadInputs bad);

    private static readonly Dictionary<string, Reader> Readers = new(StringComparer.OrdinalIgnoreCase)
    {
        [".txt"] = PlainText,
        [".md"] = PlainText,
        [".jsonl"] = JsonLinesFile.Read,
        [".ndjson"] = JsonLinesFile.Read,
        [".json"] = JsonFile.Read,
        [".csv"] = DelimitedFile.ReadCommas,
        [".tsv"] = DelimitedFile.ReadTabs,
        [".parquet"] = ParquetFile.Read,
    };

    // They describe a corpus and are no part of it.
    private static readonly string[] Descriptions =
    [
        "README",
        "LICENSE",
        "LICENCE",
        "CHANGELOG",
        "CITATION",
        "CONTRIBUTING",
        "dataset_info",
        "dataset_infos",
    ];

    /// <summary>What can be read, for messages.</summary>
    public static string Kinds { get; } = $"{string.Join(", ", Readers.Keys)}, each also as {string.Join(", ", Compression.Kinds)}";

    /// <summary>Why a file of a folder is no part of the corpus; null if it is one.</summary>
    public static string? ReasonToLeaveOut(ReadOnlySpan<char> name)
    {
        var (kind, _) = Compression.KindOf(name);
        var stem = name[..(name.IndexOf('.') is var dot and >= 0 ? dot : name.Length)].ToString();
        return Descriptions.Contains(stem, StringComparer.OrdinalIgnoreCase) ? "describes the corpus"
            : Readers.ContainsKey(kind) ? null
            : "not text";
    }

    /// <summary>The documents of a file, in order.</summary>
    /// <param name="path">Where it lies.</param>
    /// <param name="name">What messages call it. A name that says nothing is that of plain text.</param>
    /// <param name="field">Field or column of the text, where the file has such.</param>
    /// <param name="bad">Told what cannot be read.</param>
    /// <param name="cancellation">Ends the wait for a pipe, which is refused.</param>
    public static IEnumerable<Document> Read(
        string path,
        string name,
        TextField field,
        BadInputs bad,
        CancellationToken cancellation = default
    )
    {
        using var file = InputFile.Open(path, cancellation);
        var (kind, compression) = Compression.KindOf(name);
        using var documents = Open(file, kind, compression, name, field, bad).GetEnumerator();
        while (true)
        {
            try
            {
                if (!documents.MoveNext())
                    break;
            }
            catch (Exception error) when (Describe(error, compression) is { } reason)
            {
                bad.End(
                    new InvalidDataException(
                        error is InvalidDataException && error.Message.StartsWith(name, StringComparison.Ordinal)
                            ? error.Message
                            : $"{name}: {reason}",
                        error
                    )
                );
                break;
            }

            yield return documents.Current;
        }
    }

    private static IEnumerable<Document> Open(Stream file, string kind, string? compression, string name, TextField field, BadInputs bad)
    {
        using var content = Compression.Open(file, compression);
        foreach (var document in Readers.GetValueOrDefault(kind, PlainText)(content, name, field, bad))
            yield return document;
    }

    private static IEnumerable<Document> PlainText(Stream content, string name, TextField field, BadInputs bad) =>
        TextFile.Read(content, name);

    private static string? Describe(Exception error, string? compression) =>
        error switch
        {
            DecoderFallbackException => "not UTF-8 text. Convert the file to UTF-8 or leave it out.",
            _ when Compression.IsDamage(error) => compression is null
                ? $"cut short: {error.Message}"
                : $"damaged {compression} data, or cut short. Fetch or pack the file again.",
            InvalidDataException when compression is not null => $"damaged {compression} data: {error.Message}",
            InvalidDataException => error.Message,
            _ => null,
        };
}

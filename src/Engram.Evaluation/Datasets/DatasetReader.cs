using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Corpora.Files;

namespace Engram.Evaluation.Datasets;

/// <summary>
/// Rows of a file: JSON Lines, JSON, Parquet, CSV, TSV or plain text (one row, column "text"), each also compressed (.gz, .br, .zst); the
/// end of the name says which. Each row gets the file's name without endings as the column "_file".
/// </summary>
public static class DatasetReader
{
    private const int HeadBytes = 512;

    /// <summary>Of unpacked text; what is more does not fit into a list of bytes.</summary>
    private const long MostBytes = 2047L << 20;

    private delegate IEnumerable<DatasetRow> Reader(byte[] content, string name, DatasetFormat format);

    private static readonly Dictionary<string, Reader> Readers = new(StringComparer.OrdinalIgnoreCase)
    {
        [".jsonl"] = JsonRows.ReadLines,
        [".ndjson"] = JsonRows.ReadLines,
        [".json"] = JsonRows.Read,
        [".parquet"] = (content, name, _) => ParquetRows.Read(content, name),
        [".csv"] = (content, name, format) => DelimitedRows.Read(content, name, format, tabs: false),
        [".tsv"] = (content, name, format) => DelimitedRows.Read(content, name, format, tabs: true),
        [".txt"] = (content, name, format) => [new DatasetRow(name, name, new JsonObject { ["text"] = Decode(content, name, format) })],
    };

    /// <summary>What can be read, for messages.</summary>
    public static string Kinds { get; } = $"{string.Join(", ", Readers.Keys)}, each also as {string.Join(", ", Compression.Kinds)}";

    /// <summary>The rows of a file, in order.</summary>
    /// <param name="path">Where it lies.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="format">How its rows are found.</param>
    /// <param name="cancellation">Heard while a pipe is waited for.</param>
    /// <exception cref="InvalidDataException">
    /// The file or a row cannot be read; the message is one line that names file, row and remedy.
    /// </exception>
    public static IEnumerable<DatasetRow> Read(
        string path,
        string name,
        DatasetFormat? format = null,
        CancellationToken cancellation = default
    )
    {
        var (kind, compression) = Compression.KindOf(name);
        if (!Readers.TryGetValue(kind, out var reader))
            throw new InvalidDataException($"{name}: rows are not read from \"{kind}\" files, but from {Kinds}.");
        RequireEffect(name, format ?? new DatasetFormat(), name);
        var content = Content(path, name, compression, cancellation);
        RefuseWhatIsNoData(content, name, kind);
        var stem = StemOf(name);
        foreach (var row in reader(content, name, format ?? new DatasetFormat()))
        {
            row.Values["_file"] = stem;
            yield return row;
        }
    }

    /// <summary>Requires that what a format says has an effect on files of a name.</summary>
    /// <param name="name">A file's name, perhaps with wildcards.</param>
    /// <param name="format">How its rows are found.</param>
    /// <param name="source">Who says so, for messages.</param>
    /// <exception cref="InvalidDataException">A part of it is for other files.</exception>
    internal static void RequireEffect(string name, DatasetFormat format, string source)
    {
        var kind = Compression.KindOf(name).Kind.ToLowerInvariant();
        if (!Readers.ContainsKey(kind))
            return;
        if (format.Columns is not null && kind is not (".csv" or ".tsv"))
            throw new InvalidDataException(
                $"{source}: \"columns\" names the columns of .csv and .tsv files without a header and has no effect on {kind}, whose columns have names. Leave it out."
            );
        if (format.Rows is not null && kind is not ".json")
            throw new InvalidDataException(
                $"{source}: \"rows\" says where the rows of a .json file stand and has no effect on {kind}. Leave it out."
            );
    }

    /// <summary>A file's name without folders and endings.</summary>
    internal static string StemOf(string path)
    {
        var name = Path.GetFileName(path);
        return name.IndexOf('.') is var dot and > 0 ? name[..dot] : name;
    }

    /// <summary>Text of a file that is UTF-8 or of the format's other encoding.</summary>
    internal static string Decode(byte[] content, string name, DatasetFormat format)
    {
        var bytes = content.AsSpan();
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        try
        {
            return TextFile.StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException) when (format.OtherEncoding is { } other)
        {
            return (
                CodePagesEncodingProvider.Instance.GetEncoding(other)
                ?? throw new InvalidDataException($"{name}: no encoding is called \"{other}\"; name another in the task file.")
            ).GetString(bytes);
        }
        catch (DecoderFallbackException error)
        {
            var line = bytes[..error.Index].Count((byte)'\n') + 1;
            throw new InvalidDataException(
                $"{name}:{line}: not UTF-8 text (byte {error.Index}). Convert the file to UTF-8, or name its encoding in the task file.",
                error
            );
        }
    }

    private static byte[] Content(string path, string name, string? compression, CancellationToken cancellation)
    {
        var bytes = InputFile.ReadAllBytes(path, cancellation);
        if (compression is null)
            return bytes;
        try
        {
            using var file = new MemoryStream(bytes);
            using var content = Compression.Open(file, compression);
            using var held = new MemoryStream();
            var piece = new byte[1 << 16];
            for (int read; (read = content.Read(piece)) > 0; held.Write(piece, 0, read))
                if (held.Length + read > MostBytes)
                    throw new IOException($"{name}: unpacks to more than {MostBytes >> 20:N0} MiB. Divide it into several files.");
            return held.ToArray();
        }
        catch (Exception error) when (Compression.IsDamage(error) || error is InvalidDataException)
        {
            throw new InvalidDataException($"{name}: damaged {compression} data: {error.Message} Fetch the file again.", error);
        }
    }

    private static void RefuseWhatIsNoData(byte[] content, string name, string kind)
    {
        var head = content.AsSpan(0, Math.Min(HeadBytes, content.Length));
        if (head.StartsWith("version https://git-lfs.github.com/spec/"u8))
            throw new InvalidDataException(
                $"{name}: a Git LFS pointer, not the file itself. Fetch it with \"git lfs pull\" or download it."
            );
        if (kind.Equals(".parquet", StringComparison.OrdinalIgnoreCase))
            return;
        var archive =
            head.StartsWith("PK\u0003\u0004"u8) ? "a zip archive"
            : head.StartsWith((byte[])[0x1f, 0x8b]) ? "gzip data"
            : head.StartsWith("PAR1"u8) ? "Parquet"
            : head.Length > 262 && head[257..262].SequenceEqual("ustar"u8) ? "a tar archive"
            : head.StartsWith((byte[])[0x37, 0x7a, 0xbc, 0xaf]) ? "a 7z archive"
            : head.StartsWith((byte[])[0x28, 0xb5, 0x2f, 0xfd]) ? "zstd data"
            : head.StartsWith("ARROW1"u8) ? "an Arrow file"
            : null;
        if (archive is not null)
            throw new InvalidDataException(
                $"{name}: {archive}, where {kind} text is expected. Unpack it, or give it the name of what it is."
            );
        if (head.IndexOf((byte)0) >= 0)
            throw new InvalidDataException($"{name}: binary data, where {kind} text is expected. Fetch the file again.");
        var text = head.TrimStart(" \r\n\t"u8);
        if (text.StartsWith("<!DOCTYPE"u8) || text.StartsWith("<!doctype"u8) || text.StartsWith("<html"u8))
            throw new InvalidDataException(
                $"{name}: a web page, where {kind} text is expected. The download needs another address or a login."
            );
    }

    /// <summary>The error of a row that is no JSON.</summary>
    internal static InvalidDataException NotJson(string place, JsonException error) =>
        new(
            $"{place}: not JSON ({(error.BytePositionInLine is { } byteInLine ? $"column {byteInLine + 1}" : "a name stands twice in an object")}). "
                + "Mend or delete the row, or fetch the file again.",
            error
        );
}

using System.Numerics.Tensors;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.PublishedCheckpoints;

/// <summary>
/// Rewrites tables in another row format: row after row through a few MiB of memory, whatever the tables' size. The target appears complete
/// or not at all.
/// </summary>
public static class TableConversion
{
    /// <summary>
    /// Converts a table file, whose other tensors and metadata are copied, or all tables of a model folder, whose other files are copied.
    /// </summary>
    /// <param name="source">A file or a model folder.</param>
    /// <param name="format">Format of the new rows.</param>
    /// <param name="output">
    /// The new file, which replaces one of that name, or the new folder, which does not exist or is empty; its parent exists. Never the
    /// source.
    /// </param>
    /// <param name="progress">Told the rows of all tables.</param>
    /// <param name="cancellation">Ends the conversion; nothing is left behind.</param>
    /// <exception cref="ArgumentException">
    /// The output is the source or lies in it, the source is a checkpoint, or the format cannot store rows of this width.
    /// </exception>
    /// <exception cref="InvalidDataException">A value of the source is not finite; the message names its row.</exception>
    /// <exception cref="IOException">The output cannot be written, or is a folder that holds something.</exception>
    public static void Convert(
        TableSource source,
        RowFormat format,
        string output,
        IProgress<TableProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(format);
        ArgumentException.ThrowIfNullOrEmpty(output);
        foreach (var table in source.Tables)
            RequireWidth(table, format);
        output = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        switch (source.Kind)
        {
            case TableSourceKind.File:
                if (FileIdentity.AreSame(source.Path, output))
                    throw new ArgumentException($"{output} is the source itself; give another output.", nameof(output));
                if (Directory.Exists(output))
                    throw new IOException($"{output} is a folder; the table of a file is written to a file.");
                ConvertFile(
                    source.Tables[0],
                    format,
                    output,
                    done => progress?.Report(new TableProgress(done, source.Tables[0].Table.Rows)),
                    cancellation
                );
                break;
            case TableSourceKind.ModelFolder:
                ConvertFolder(source, format, output, progress, cancellation);
                break;
            default:
                throw new ArgumentException(
                    $"{source.Path} is a checkpoint whose tables lie in shards with other tensors; only table files and model folders are "
                        + "converted.",
                    nameof(source)
                );
        }
    }

    private static void ConvertFolder(
        TableSource source,
        RowFormat format,
        string output,
        IProgress<TableProgress>? progress,
        CancellationToken cancellation
    )
    {
        var folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(source.Path));
        if (
            output == folder
            || output.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            || Directory.Exists(output) && FileIdentity.AreSame(folder, output)
        )
            throw new ArgumentException($"{output} is the source itself or lies in it; give another output.", nameof(output));
        if (File.Exists(output) || Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
            throw new IOException($"{output} exists and is no empty folder; give another output.");
        var temporary = $"{output}.{Environment.ProcessId}-{Guid.NewGuid():N}.tmp";
        try
        {
            var tables = source.Tables.ToDictionary(
                table => Path.GetRelativePath(folder, Path.GetFullPath(table.File)),
                StringComparer.Ordinal
            );
            foreach (
                var file in Directory
                    .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                    .Select(file => Path.GetRelativePath(folder, file))
                    .Where(file => !tables.ContainsKey(file))
            )
                Copy(Path.Combine(folder, file), Create(file), cancellation);
            var (before, total) = (0L, source.Tables.Sum(table => table.Table.Rows));
            foreach (var (file, table) in tables)
            {
                ConvertFile(table, format, Create(file), done => progress?.Report(new TableProgress(before + done, total)), cancellation);
                before += table.Table.Rows;
            }
            if (Directory.Exists(output))
                Directory.Delete(output); // empty: anything in it would stop this
            Directory.Move(temporary, output);
        }
        catch
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            throw;
        }

        string Create(string file)
        {
            var path = Path.Combine(temporary, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return path;
        }
    }

    private static void Copy(string from, string to, CancellationToken cancellation) =>
        AtomicFile.Write(
            to,
            stream =>
            {
                using var content = File.OpenRead(from);
                content.CopyToAsync(stream, cancellation).GetAwaiter().GetResult();
            }
        );

    private static unsafe void ConvertFile(
        SourceTable source,
        RowFormat format,
        string output,
        Action<long> rowsDone,
        CancellationToken cancellation
    )
    {
        var (table, name) = (source.Table, source.TensorName);
        var (rows, width) = (table.Rows, table.Width);
        var (rowValues, rowScales) = (format.ValueBytes(width), format.ScaleBytes(width));
        var writer = TableFile.NewWriter(name, width, format);
        TableFile.Add(
            writer,
            name,
            rows,
            width,
            format,
            stream =>
            {
                // The scales follow the values in the file: both are written in the one pass over the source.
                var (valuesAt, scalesAt) = (stream.Position, stream.Position + rows * rowValues);
                byte[] values = [],
                    scales = [];
                table.Scan(
                    (firstRow, decoded) =>
                    {
                        var count = decoded.Length / width;
                        RequireFinite(source, firstRow, decoded, width);
                        Reserve(ref values, count * rowValues);
                        Reserve(ref scales, count * rowScales);
                        fixed (byte* v = values)
                        fixed (byte* s = scales)
                        fixed (float* d = decoded)
                            new StoredRows(v, s, width, format).Encode(0, count, d);
                        if (rowScales > 0)
                        {
                            stream.Position = scalesAt;
                            stream.Write(scales, 0, count * rowScales);
                            scalesAt += (long)count * rowScales;
                            stream.Position = valuesAt;
                        }
                        stream.Write(values, 0, count * rowValues);
                        valuesAt += (long)count * rowValues;
                        rowsDone(firstRow + count);
                    },
                    cancellation
                );
            },
            stream => stream.Position += rows * rowScales
        );
        using var rest = SafetensorsFile.Open(source.File);
        CopyRest(rest, source, writer, cancellation);
        writer.Write(output);

        static void Reserve(ref byte[] buffer, int bytes)
        {
            if (buffer.Length < bytes)
                buffer = new byte[bytes];
        }
    }

    // What else the file holds stays with it.
    private static void CopyRest(SafetensorsFile source, SourceTable table, SafetensorsWriter writer, CancellationToken cancellation)
    {
        const int chunk = 1 << 20;
        foreach (var (key, value) in source.Metadata)
            if (key != TableFile.GroupSizeKey(table.TensorName))
                writer.Metadata[key] = value;
        foreach (var (name, tensor) in source.Tensors)
            if (name != table.TensorName && !(table.Table.Format.HasScales && name == TableFile.ScaleTensor(table.TensorName)))
                writer.Add(
                    name,
                    tensor.DType,
                    stream =>
                    {
                        for (var done = 0L; done < tensor.ByteLength; done += chunk)
                        {
                            cancellation.ThrowIfCancellationRequested();
                            stream.Write(source.Bytes(name, done, (int)Math.Min(chunk, tensor.ByteLength - done)));
                        }
                    },
                    [.. tensor.Shape]
                );
    }

    private static void RequireWidth(SourceTable source, RowFormat format)
    {
        if (format.Encoding == RowEncoding.Int4 && source.Table.Width % 2 != 0)
            throw new ArgumentException(
                $"{source.File}: rows of {source.Table.Width} values cannot be stored as {format}, which holds an even number.",
                nameof(format)
            );
    }

    private static void RequireFinite(SourceTable source, long firstRow, ReadOnlySpan<float> values, int width)
    {
        if (TensorPrimitives.IsFiniteAll(values))
            return;
        for (var i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw new InvalidDataException(
                    $"{source.File}: value {i % width} of row {firstRow + i / width} of tensor '{source.TensorName}' is {values[i]}; only "
                        + "finite values can be converted."
                );
    }
}

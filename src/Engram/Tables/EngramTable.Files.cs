using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables;

// A table as a file: read into memory, mapped where it lies, made and written.
public sealed unsafe partial class EngramTable
{
    /// <summary>
    /// Writes the table as a safetensors file: a tensor of values [R, w] and, for formats with scales, one of scales [R, groups].
    /// </summary>
    /// <param name="path">The file; its folder exists. Not the file this table is mapped from.</param>
    /// <param name="tensorName">Name of the tensor of values; that of the scales has <c>.scale</c> in place of <c>.weight</c>.</param>
    /// <exception cref="IOException">The file cannot be written; one that was there before is intact.</exception>
    public void Save(string path, string tensorName)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var writer = TableFile.NewWriter(tensorName, Width, Format, Identity);
        TableFile.Add(
            writer,
            tensorName,
            Rows,
            Width,
            Format,
            stream => _stored.WriteValues(Rows, stream),
            stream => _stored.WriteScales(Rows, stream)
        );
        writer.Write(path);
    }

    /// <summary>Reads a table into memory.</summary>
    /// <param name="path">A safetensors file.</param>
    /// <param name="tensorName">Name of the tensor of values [R, w].</param>
    /// <param name="rows">Rows R it must have, for example those of the layer's addressing; any if null.</param>
    /// <param name="width">Width w it must have; any if null.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is damaged, or the tensor is missing, of another type or shape, empty, or not finite.
    /// </exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public static EngramTable Load(string path, string tensorName, long? rows = null, int? width = null)
    {
        using var mapped = Map(path, tensorName, rows, width);
        var table = new EngramTable(mapped.Rows, mapped.Width, mapped.Format) { Name = tensorName, Identity = mapped.Identity };
        try
        {
            VirtualMemory.ExpectSequentialReads(mapped._stored.ValuesOf(0), mapped.Rows * mapped._stored.ValueBytes);
            if (mapped.Format.HasScales)
                VirtualMemory.ExpectSequentialReads(mapped._stored.ScalesOf(0), mapped.Rows * mapped._stored.ScaleBytes);
            mapped._stored.CopyAll(table._stored, table.Rows);
            if (table.FirstRowNotFinite() is { } row)
                throw new InvalidDataException($"{path}: row {row} of tensor '{tensorName}' holds a value that is not finite.");
            return table;
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens a table where it lies, read-only. Takes milliseconds whatever its size and reads no row; rows come from the device as they are
    /// gathered.
    /// </summary>
    /// <param name="path">A safetensors file. Nobody may shorten it while it is mapped.</param>
    /// <param name="tensorName">Name of the tensor of values [R, w].</param>
    /// <param name="rows">Rows R it must have; any if null.</param>
    /// <param name="width">Width w it must have; any if null.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is damaged, or the tensor is missing, of another type or shape, or empty.
    /// </exception>
    public static EngramTable Map(string path, string tensorName, long? rows = null, int? width = null) =>
        Open(SafetensorsFile.Open(path), tensorName, rows, width);

    /// <summary>
    /// Opens a float32 table where it lies, to be trained in place. What is written reaches the file by and by; <see cref="Flush"/> waits
    /// for it. If the process dies meanwhile, the file holds some rows as they were and others as they became, unless the optimizer keeps
    /// an <see cref="Training.UndoJournal"/>, which returns it to a checkpoint; so it does if the machine dies.
    /// </summary>
    /// <inheritdoc cref="Map"/>
    public static EngramTable MapWritable(string path, string tensorName, long? rows = null, int? width = null)
    {
        var table = Open(SafetensorsFile.OpenWritable(path), tensorName, rows, width);
        if (table.Format.Encoding == RowEncoding.Float32)
            return table;
        table.Dispose();
        throw new InvalidDataException($"{path}: tensor '{tensorName}' has rows of {table.Format}; only float32 is trained in place.");
    }

    /// <summary>
    /// Opens a table whose values and scales lie in files that are open already, for example shards of a checkpoint. The table disposes
    /// them.
    /// </summary>
    internal static EngramTable Open(SafetensorsFile values, SafetensorsFile? scales, string tensorName) => new(values, scales, tensorName);

    /// <summary>
    /// Makes a file with a float32 table of zeros. It occupies no more of the disk than has been written to it, where the file system knows
    /// holes.
    /// </summary>
    /// <param name="path">The file; its folder exists. A file of that name is replaced.</param>
    /// <param name="tensorName">Name of the tensor.</param>
    /// <param name="rows">Rows R, at least 1.</param>
    /// <param name="width">Width w, at least 1.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void CreateFile(string path, string tensorName, long rows, int width) =>
        CreateFile(path, tensorName, rows, width, identity: null);

    /// <inheritdoc cref="CreateFile(string, string, long, int)"/>
    /// <param name="path">The file.</param>
    /// <param name="tensorName">Name of the tensor.</param>
    /// <param name="rows">Rows R.</param>
    /// <param name="width">Width w.</param>
    /// <param name="identity">Which training the rows are of, or null.</param>
    internal static void CreateFile(string path, string tensorName, long rows, int width, string? identity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        var writer = TableFile.NewWriter(tensorName, width, RowFormat.Float32, identity);
        TableFile.Add(
            writer,
            tensorName,
            rows,
            width,
            RowFormat.Float32,
            stream =>
            {
                var end = stream.Position + checked(rows * width * sizeof(float));
                stream.SetLength(end);
                stream.Position = end;
            },
            _ => { }
        );
        writer.Write(path);
    }

    /// <summary>Writes changes of a mapped table to the device and waits for it; nothing for others.</summary>
    /// <exception cref="IOException">The device cannot take them.</exception>
    public void Flush()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_file is { IsWritable: true })
            _file.Flush();
    }

    private static EngramTable Open(SafetensorsFile file, string tensorName, long? rows, int? width)
    {
        try
        {
            var table = new EngramTable(file, file, tensorName);
            if ((rows is null || rows == table.Rows) && (width is null || width == table.Width))
                return table;
            throw new InvalidDataException(
                $"{file.Path}: tensor '{tensorName}' is {TensorInfo.Describe(table.Format.ValueType, [table.Rows, table.Width])}; "
                    + $"{TensorInfo.Describe(table.Format.ValueType, [rows ?? -1, width ?? -1])} is needed."
            );
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}

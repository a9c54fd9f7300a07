using System.Numerics.Tensors;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>
/// The table of one memory layer (paper §2.3), rows of any <see cref="RowFormat"/>, of any size: in native memory, or in a mapped file that
/// is opened in milliseconds and never needs to fit memory. It is not a tensor: rows are gathered out of it and an optimizer of its own
/// writes them. Reading from several threads is safe while nobody writes. Must be disposed.
/// </summary>
public sealed unsafe partial class EngramTable : IRowStore
{
    private readonly IDisposable[] _owners;
    private readonly SafetensorsFile? _file;
    private readonly bool _residencyTold;
    private readonly NativeBuffer<byte>? _memory;
    private readonly StoredRows _stored;
    private bool _disposed;

    /// <summary>Makes a table of zeros in memory: a memory that adds nothing until it is trained.</summary>
    /// <param name="rows">Rows R, at least 1.</param>
    /// <param name="width">Width w of a row in values, at least 1.</param>
    /// <param name="format">How rows are stored; float32 if null.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public EngramTable(long rows, int width, RowFormat? format = null)
    {
        format ??= RowFormat.Float32;
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        format.CheckWidth(width);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, long.MaxValue / format.RowBytes(width));
        (Rows, Width, Format) = (rows, width, format);
        _memory = new NativeBuffer<byte>(rows * format.RowBytes(width));
        _owners = [_memory];
        _stored = new StoredRows(_memory.Pointer, width, format);
    }

    private EngramTable(SafetensorsFile values, SafetensorsFile? scales, string tensorName)
    {
        (Rows, Width, Format) = TableFile.Describe(values, scales, tensorName);
        Name = tensorName;
        Identity = values.Metadata.GetValueOrDefault(TableFile.IdentityKey);
        _file = values;
        _residencyTold = VirtualMemory.TellsResidency(values.Path);
        _owners = scales is null || ReferenceEquals(values, scales) ? [values] : [values, scales];
        var scalePointer = Format.HasScales ? scales!.Pointer(TableFile.ScaleTensor(tensorName)) : null;
        _stored = new StoredRows(values.Pointer(tensorName), scalePointer, Width, Format);
        VirtualMemory.ExpectRandomReads(_stored.ValuesOf(0), Rows * _stored.ValueBytes);
        if (Format.HasScales)
            VirtualMemory.ExpectRandomReads(scalePointer, Rows * _stored.ScaleBytes);
    }

    /// <inheritdoc/>
    public long Rows { get; }

    /// <inheritdoc/>
    public int Width { get; }

    /// <inheritdoc/>
    public RowFormat Format { get; }

    /// <summary>What the table is called in metrics: the tensor's name, or "memory" for a new one.</summary>
    public string Name { get; set; } = "memory";

    /// <summary>Which training the rows are of, as the dense weights beside them say it too; null where nobody has said.</summary>
    internal string? Identity { get; set; }

    /// <summary>Bytes of all rows, scales included.</summary>
    public long Bytes => Rows * Format.RowBytes(Width);

    /// <summary>Whether the rows lie in a mapped file, rather than in memory of this process alone.</summary>
    public bool IsMapped => _file is not null;

    /// <inheritdoc/>
    public bool InMemory => !IsMapped;

    /// <summary>Whether rows can be written: in memory, or in a file opened with <see cref="MapWritable"/>.</summary>
    public bool IsWritable => _file is null || _file.IsWritable;

    /// <summary>
    /// The kernel's setting for transparent huge pages: <c>always</c>, <c>madvise</c> (which suffices for tables in memory) or
    /// <c>never</c>; null where it is not known.
    /// </summary>
    public static string? HugePageSetting => VirtualMemory.TransparentHugePages;

    /// <summary>Bytes of the rows that lie in huge pages now; 0 for mapped files, and where the system does not tell.</summary>
    public long HugePageBytes => _memory?.HugePageBytes ?? 0;

    /// <summary>
    /// First value of a float32 table; rows follow each other without gap, in memory the first is aligned to 64 bytes. Valid until
    /// disposal.
    /// </summary>
    /// <remarks>
    /// What is written through it to a mapped table goes past the optimizer's journal and past the check for space: on a full disk the
    /// system ends the process.
    /// </remarks>
    /// <exception cref="InvalidOperationException">Rows have another format.</exception>
    public float* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return Format.Encoding == RowEncoding.Float32
                ? (float*)_stored.ValuesOf(0)
                : throw new InvalidOperationException($"Rows of {Format} cannot be used in place; gather them.");
        }
    }

    /// <summary>One row of a float32 table, in place; for writing, the remark of <see cref="Pointer"/> holds.</summary>
    /// <param name="row">0 to R − 1.</param>
    /// <returns>A view [w], valid until disposal; it must not be written if the table is not <see cref="IsWritable"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    /// <exception cref="InvalidOperationException">Rows have another format.</exception>
    public Span<float> Row(long row)
    {
        if ((ulong)row >= (ulong)Rows)
            throw NoSuchRow(row, 0);
        return new Span<float>(Pointer + row * Width, Width);
    }

    /// <inheritdoc/>
    public void Gather(ReadOnlySpan<long> rows, Span<float> destination, int threads = 1)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (destination.Length != (long)rows.Length * Width)
            throw new ArgumentException(
                $"{rows.Length} rows of width {Width} need {(long)rows.Length * Width} values; there is room for {destination.Length}.",
                nameof(destination)
            );
        if (rows.IndexOfAnyExceptInRange(-1, Rows - 1) is var wrong and >= 0)
            throw NoSuchRow(rows[wrong], wrong);
        var begun = TableMetrics.Begin();
        // One row alone is read by its page fault just as fast.
        if (IsMapped && rows.Length > 1)
            MappedPages.StartReadingAbsent(_stored, rows, Rows, _residencyTold);
        fixed (long* first = rows)
        fixed (float* target = destination)
            _stored.Gather(first, rows.Length, target, threads);
        TableMetrics.Read(Name, rows, Format.RowBytes(Width));
        TableMetrics.LookedUp(Name, rows, begun);
    }

    /// <inheritdoc/>
    public void GatherStored(ReadOnlySpan<long> rows, Span<byte> values, Span<byte> scales)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (values.Length != (long)rows.Length * _stored.ValueBytes || scales.Length != (long)rows.Length * _stored.ScaleBytes)
            throw new ArgumentException(
                $"{rows.Length} rows of {Format} of width {Width} need {(long)rows.Length * _stored.ValueBytes} bytes of values and "
                    + $"{(long)rows.Length * _stored.ScaleBytes} of scales; there is room for {values.Length} and {scales.Length}."
            );
        if (rows.IndexOfAnyExceptInRange(0, Rows - 1) is var wrong and >= 0)
            throw NoSuchRow(rows[wrong], wrong);
        if (IsMapped && rows.Length > 1)
            MappedPages.StartReadingAbsent(_stored, rows, Rows, _residencyTold);
        fixed (long* first = rows)
        fixed (
            byte* valueTarget = values,
                scaleTarget = scales
        )
            _stored.Copy(first, rows.Length, valueTarget, scaleTarget);
        TableMetrics.Read(Name, rows, Format.RowBytes(Width));
    }

    /// <inheritdoc/>
    public void Prefetch(ReadOnlySpan<long> rows)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (IsMapped)
            MappedPages.StartReadingAbsent(_stored, rows, Rows, _residencyTold);
        _stored.PrefetchFew(rows);
    }

    /// <summary>Encodes a run of rows.</summary>
    /// <param name="firstRow">First row to write.</param>
    /// <param name="source">Values [n, w], finite.</param>
    /// <exception cref="ArgumentException">
    /// The source holds no whole rows, a value that is not finite, or more rows than there are.
    /// </exception>
    /// <exception cref="InvalidOperationException">The table is not <see cref="IsWritable"/>.</exception>
    /// <exception cref="IOException">The device of a mapped table is full; no row has been changed.</exception>
    public void Write(long firstRow, ReadOnlySpan<float> source)
    {
        RequireWritable();
        var count = source.Length / Width;
        if (source.Length % Width != 0)
            throw new ArgumentException($"{source.Length} values are no whole number of rows of {Width}.", nameof(source));
        if (firstRow < 0 || firstRow > Rows - count)
            throw NoSuchRow(firstRow < 0 ? firstRow : firstRow + count - 1, 0);
        if (!TensorPrimitives.IsFiniteAll(source))
            throw new ArgumentException($"The rows from {firstRow} hold a value that is not finite.", nameof(source));
        _file?.Reserve(_stored.ValuesOf(firstRow), (long)count * _stored.ValueBytes);
        fixed (float* first = source)
            _stored.Encode(firstRow, count, first);
    }

    /// <summary>Makes sure that a row of a mapped table can be written: see <see cref="SafetensorsFile.Reserve"/>.</summary>
    internal void Reserve(long row) => _file?.Reserve(_stored.ValuesOf(row), _stored.ValueBytes);

    /// <summary>The first row with a value that is not finite, or null. Reads the whole table.</summary>
    public long? FirstRowNotFinite()
    {
        long? found = null;
        Scan(
            (firstRow, values) =>
            {
                if (found is not null || TensorPrimitives.IsFiniteAll(values))
                    return;
                for (var i = 0; found is null; i++)
                    if (!float.IsFinite(values[i]))
                        found = firstRow + i / Width;
            }
        );
        return found;
    }

    /// <summary>Hands out all rows in order, decoded, in blocks; needs a few MiB of memory whatever the table's size.</summary>
    internal void Scan(TableScan.Block block, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        TableScan.Run(_stored, Rows, Width, IsMapped, block, cancellation);
    }

    /// <summary>Frees the memory or ends the mapping.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (var owner in _owners)
            owner.Dispose();
    }

    private void RequireWritable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!IsWritable)
            throw new InvalidOperationException($"{_file!.Path} is opened for reading only.");
    }

    private ArgumentOutOfRangeException NoSuchRow(long row, int position) =>
        new(
            nameof(row),
            row,
            $"Row {row} at position {position}: the table has the rows 0 to {Rows - 1}; -1 marks a position that reads none."
        );
}

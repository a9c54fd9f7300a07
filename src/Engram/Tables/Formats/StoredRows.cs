using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Engram.Tables.Formats;

/// <summary>The stored rows of a table, wherever they lie in the address space, and the loops over them.</summary>
internal readonly unsafe struct StoredRows
{
    // Rows that memory has been asked for and that are not decoded yet: enough requests in flight, and few enough for the second-level
    // cache. They are asked into that one, which has more in flight than the first (bench/results/tables.md).
    private const int WindowRows = 64;
    private const int WindowBytes = 128 << 10;
    private const int CacheLine = 64;

    // Fewer rows are gathered before another thread has woken up.
    private const int RowsPerThread = 1 << 10;

    private readonly byte* _values;
    private readonly byte* _scales;
    private readonly int _width;
    private readonly RowFormat _format;
    private readonly int _valueBytes;
    private readonly int _scaleBytes;

    // From one row to the next.
    private readonly int _valueStride;
    private readonly int _scaleStride;

    private readonly int _window;

    /// <summary>Rows as files hold them: all values, and elsewhere all scales.</summary>
    /// <param name="values">First value byte; rows follow each other without gap.</param>
    /// <param name="scales">First scale byte; null for formats without scales.</param>
    /// <param name="width">Width w in values.</param>
    /// <param name="format">How a row is stored.</param>
    public StoredRows(byte* values, byte* scales, int width, RowFormat format)
    {
        _values = values;
        _scales = scales;
        (_width, _format) = (width, format);
        (_valueBytes, _scaleBytes) = (format.ValueBytes(width), format.ScaleBytes(width));
        (_valueStride, _scaleStride) = (_valueBytes, _scaleBytes);
        _window = Math.Clamp(WindowBytes / format.RowBytes(width), 1, WindowRows);
    }

    /// <summary>Rows as memory holds them: each followed by its scales, so that a random row costs one place in memory, not two.</summary>
    /// <param name="rows">First byte; a row takes <see cref="RowFormat.RowBytes"/>.</param>
    /// <param name="width">Width w in values.</param>
    /// <param name="format">How a row is stored.</param>
    public StoredRows(byte* rows, int width, RowFormat format)
        : this(rows, rows + format.ValueBytes(width), width, format) => _valueStride = _scaleStride = format.RowBytes(width);

    public int ValueBytes => _valueBytes;
    public int ScaleBytes => _scaleBytes;

    public byte* ValuesOf(long row) => _values + row * _valueStride;

    public byte* ScalesOf(long row) => _scales + row * _scaleStride;

    // Scales lie with their row, or there are none.
    private bool Together => _valueStride == _valueBytes + _scaleBytes;

    /// <summary>Decodes rows that exist; −1 yields zeros.</summary>
    public void Gather(long* rows, int count, float* destination)
    {
        switch (_format.Encoding)
        {
            case RowEncoding.Float32:
                Gather<Float32Codec>(rows, count, destination);
                break;
            case RowEncoding.BFloat16:
                Gather<BFloat16Codec>(rows, count, destination);
                break;
            case RowEncoding.Float8:
                Gather<Float8Codec>(rows, count, destination);
                break;
            case RowEncoding.Int8:
                Gather<Int8Codec>(rows, count, destination);
                break;
            default:
                Gather<Int4Codec>(rows, count, destination);
                break;
        }
    }

    /// <summary>Decodes rows that exist, in several threads if there are many; −1 yields zeros.</summary>
    public void Gather(long* rows, int count, float* destination, int threads)
    {
        var parts = Math.Clamp(count / RowsPerThread, 1, threads);
        if (parts == 1)
            Gather(rows, count, destination);
        else
            GatherParallel(parts, rows, count, destination);
    }

    /// <summary>Encodes a run of rows from float32.</summary>
    public void Encode(long firstRow, int count, float* source)
    {
        switch (_format.Encoding)
        {
            case RowEncoding.Float32:
                Encode<Float32Codec>(firstRow, count, source);
                break;
            case RowEncoding.BFloat16:
                Encode<BFloat16Codec>(firstRow, count, source);
                break;
            case RowEncoding.Float8:
                Encode<Float8Codec>(firstRow, count, source);
                break;
            case RowEncoding.Int8:
                Encode<Int8Codec>(firstRow, count, source);
                break;
            default:
                Encode<Int4Codec>(firstRow, count, source);
                break;
        }
    }

    // Apart from the others, because what a closure needs is allocated where the method begins.
    private void GatherParallel(int parts, long* rows, int count, float* destination)
    {
        var (stored, rowWidth) = (this, _width);
        Parallel.For(
            0,
            parts,
            new ParallelOptions { MaxDegreeOfParallelism = parts },
            part =>
            {
                var (from, to) = ((int)((long)count * part / parts), (int)((long)count * (part + 1) / parts));
                stored.Gather(rows + from, to - from, destination + (long)from * rowWidth);
            }
        );
    }

    private void Gather<TCodec>(long* rows, int count, float* destination)
        where TCodec : struct, IRowCodec
    {
        // A prefetch leaves the processor's window of instructions only when the page of its address has been found, so what stands between
        // prefetches decides how many pages are looked up at once. Therefore they come in bursts, the longer the more instructions a row
        // needs.
        var (stored, rowWidth, group, window) = (this, _width, _format.GroupSize, _window);
        var burst = Math.Min(TCodec.Burst, window);
        var prefetched = 0;
        for (var i = 0; i < count; )
        {
            for (var end = i + Math.Min(window, count - i); prefetched < end; prefetched++)
                stored.PrefetchRow(rows[prefetched]);
            for (var end = i + Math.Min(burst, count - i); i < end; i++)
            {
                if (rows[i] >= 0)
                    TCodec.Decode(stored.ValuesOf(rows[i]), stored.ScalesOf(rows[i]), rowWidth, group, destination);
                else
                    Unsafe.InitBlockUnaligned(destination, 0, (uint)rowWidth * sizeof(float));
                destination += rowWidth;
            }
        }
    }

    private void Encode<TCodec>(long firstRow, int count, float* source)
        where TCodec : struct, IRowCodec
    {
        for (var i = 0; i < count; i++)
            TCodec.Encode(source + (long)i * _width, _width, _format.GroupSize, ValuesOf(firstRow + i), ScalesOf(firstRow + i));
    }

    /// <summary>Copies rows that exist, as they are stored, one after the other.</summary>
    public void Copy(long* rows, int count, byte* valueTarget, byte* scaleTarget)
    {
        for (var i = 0; i < count; )
        {
            var end = i + Math.Min(_window, count - i);
            // A row that is copied at once gains nothing by being asked for first.
            for (var ahead = i + 1; ahead < end; ahead++)
                PrefetchRow(rows[ahead]);
            for (; i < end; i++)
            {
                Unsafe.CopyBlockUnaligned(valueTarget + (long)i * _valueBytes, ValuesOf(rows[i]), (uint)_valueBytes);
                if (_scaleBytes > 0)
                    Unsafe.CopyBlockUnaligned(scaleTarget + (long)i * _scaleBytes, ScalesOf(rows[i]), (uint)_scaleBytes);
            }
        }
    }

    /// <summary>Copies all rows to a table of the same shape and format, wherever its scales lie.</summary>
    public void CopyAll(in StoredRows target, long rows)
    {
        if (_valueStride == target._valueStride)
        {
            Buffer.MemoryCopy(_values, target._values, rows * _valueStride, rows * _valueStride);
            if (!Together)
                Buffer.MemoryCopy(_scales, target._scales, rows * _scaleStride, rows * _scaleStride);
            return;
        }

        for (var row = 0L; row < rows; row++)
        {
            Unsafe.CopyBlockUnaligned(target.ValuesOf(row), ValuesOf(row), (uint)_valueBytes);
            Unsafe.CopyBlockUnaligned(target.ScalesOf(row), ScalesOf(row), (uint)_scaleBytes);
        }
    }

    /// <summary>Writes the values of all rows, one after the other.</summary>
    public void WriteValues(long rows, Stream stream) => Write(_values, _valueBytes, _valueStride, rows, stream);

    /// <summary>Writes the scales of all rows, one after the other.</summary>
    public void WriteScales(long rows, Stream stream) => Write(_scales, _scaleBytes, _scaleStride, rows, stream);

    /// <summary>Sets all rows to zero.</summary>
    public void Clear(long rows)
    {
        NativeMemory.Clear(_values, checked((nuint)rows * (nuint)_valueStride));
        if (!Together)
            NativeMemory.Clear(_scales, checked((nuint)rows * (nuint)_scaleStride));
    }

    private static void Write(byte* start, int bytes, int stride, long rows, Stream stream)
    {
        const int chunk = 1 << 20;
        if (bytes == 0)
            return;
        if (bytes == stride)
        {
            for (var (done, all) = (0L, rows * bytes); done < all; done += chunk)
                stream.Write(new ReadOnlySpan<byte>(start + done, (int)Math.Min(chunk, all - done)));
            return;
        }

        var perChunk = Math.Max(1, chunk / bytes);
        var buffer = new byte[(int)Math.Min(perChunk, rows) * bytes];
        for (var row = 0L; row < rows; row += perChunk)
        {
            var count = (int)Math.Min(perChunk, rows - row);
            for (var i = 0; i < count; i++)
                new ReadOnlySpan<byte>(start + (row + i) * stride, bytes).CopyTo(buffer.AsSpan(i * bytes));
            stream.Write(buffer, 0, count * bytes);
        }
    }

    /// <summary>Exchanges two rows.</summary>
    public void Swap(long row, long other)
    {
        if (row == other)
            return;
        Exchange(ValuesOf(row), ValuesOf(other), _valueBytes);
        if (_scaleBytes > 0)
            Exchange(ScalesOf(row), ScalesOf(other), _scaleBytes);

        static void Exchange(byte* a, byte* b, int bytes)
        {
            for (var i = 0; i < bytes; i++)
                (a[i], b[i]) = (b[i], a[i]);
        }
    }

    /// <summary>
    /// Asks memory for rows that are needed soon, if they are few: so many that the second-level cache keeps them until then.
    /// </summary>
    /// <param name="rows">Row numbers; negative ones are passed over.</param>
    public void PrefetchFew(ReadOnlySpan<long> rows)
    {
        if (rows.Length > _window)
            return;
        foreach (var row in rows)
            if (row >= 0)
                PrefetchRow(row);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PrefetchRow(long row)
    {
        Prefetch(ValuesOf(row), (uint)_valueStride);
        if (!Together)
            Prefetch(ScalesOf(row), (uint)_scaleBytes);
    }

    /// <summary>Asks memory for bytes that are needed soon, into the second-level cache. A hint: any address is harmless.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(void* address, uint bytes)
    {
        if (!Sse.IsSupported)
            return;
        var last = (nuint)address + bytes - 1;
        var line = (nuint)address;
        for (; line < last; line += CacheLine)
            Sse.Prefetch1((void*)line);
        if (((line ^ last) & ~(nuint)(CacheLine - 1)) == 0)
            Sse.Prefetch1((void*)last);
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Engram.Tables.Formats;

/// <summary>The stored rows of a table, wherever they lie in the address space, and the loops over them.</summary>
/// <param name="values">First value byte; rows follow each other without gap.</param>
/// <param name="scales">First scale byte; null for formats without scales.</param>
/// <param name="width">Width w in values.</param>
/// <param name="format">How a row is stored.</param>
internal readonly unsafe struct StoredRows(byte* values, byte* scales, int width, RowFormat format)
{
    // Rows ahead that the gather asks memory for. They are asked into the second-level cache, which holds them all and has more requests in flight than the first
    // (bench/results/gather.md: up to 1.5 times the rows of a prefetch into the first level, whatever its distance). The busier the memory, the more a long distance helps.
    private const int PrefetchDistance = 96;
    private const int CacheLine = 64;

    // Fewer rows are gathered before another thread has woken up.
    private const int RowsPerThread = 1 << 10;

    private readonly int _valueBytes = format.ValueBytes(width);
    private readonly int _scaleBytes = format.ScaleBytes(width);

    public int ValueBytes => _valueBytes;
    public int ScaleBytes => _scaleBytes;

    public byte* ValuesOf(long row) => values + row * _valueBytes;
    public byte* ScalesOf(long row) => scales + row * _scaleBytes;

    /// <summary>Decodes rows that exist; −1 is answered with zeros.</summary>
    public void Gather(long* rows, int count, float* destination)
    {
        switch (format.Encoding)
        {
            case RowEncoding.Float32: Gather<Float32Codec>(rows, count, destination); break;
            case RowEncoding.BFloat16: Gather<BFloat16Codec>(rows, count, destination); break;
            case RowEncoding.Float8: Gather<Float8Codec>(rows, count, destination); break;
            case RowEncoding.Int8: Gather<Int8Codec>(rows, count, destination); break;
            default: Gather<Int4Codec>(rows, count, destination); break;
        }
    }

    /// <summary>Decodes rows that exist, in several threads if there are many; −1 is answered with zeros.</summary>
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
        switch (format.Encoding)
        {
            case RowEncoding.Float32: Encode<Float32Codec>(firstRow, count, source); break;
            case RowEncoding.BFloat16: Encode<BFloat16Codec>(firstRow, count, source); break;
            case RowEncoding.Float8: Encode<Float8Codec>(firstRow, count, source); break;
            case RowEncoding.Int8: Encode<Int8Codec>(firstRow, count, source); break;
            default: Encode<Int4Codec>(firstRow, count, source); break;
        }
    }

    // Apart from the others, because what a closure needs is allocated where the method begins.
    private void GatherParallel(int parts, long* rows, int count, float* destination)
    {
        var (stored, rowWidth) = (this, width);
        Parallel.For(0, parts, new ParallelOptions { MaxDegreeOfParallelism = parts }, part =>
        {
            var (from, to) = ((int)((long)count * part / parts), (int)((long)count * (part + 1) / parts));
            stored.Gather(rows + from, to - from, destination + (long)from * rowWidth);
        });
    }

    private void Gather<TCodec>(long* rows, int count, float* destination) where TCodec : struct, IRowCodec
    {
        var (rowWidth, group) = (width, format.GroupSize);
        for (var i = 0; i < Math.Min(PrefetchDistance, count); i++)
            PrefetchRow(rows[i]);
        for (var i = 0; i < count; i++)
        {
            if (i + PrefetchDistance < count)
                PrefetchRow(rows[i + PrefetchDistance]);
            var row = rows[i];
            var target = destination + (long)i * rowWidth;
            if (row >= 0)
                TCodec.Decode(ValuesOf(row), ScalesOf(row), rowWidth, group, target);
            else
                Unsafe.InitBlockUnaligned(target, 0, (uint)rowWidth * sizeof(float));
        }
    }

    private void Encode<TCodec>(long firstRow, int count, float* source) where TCodec : struct, IRowCodec
    {
        for (var i = 0; i < count; i++)
            TCodec.Encode(source + (long)i * width, width, format.GroupSize, ValuesOf(firstRow + i), ScalesOf(firstRow + i));
    }

    /// <summary>Copies rows that exist, as they are stored, one after the other.</summary>
    public void Copy(long* rows, int count, byte* valueTarget, byte* scaleTarget)
    {
        for (var i = 0; i < count; i++)
        {
            if (i + PrefetchDistance < count)
                PrefetchRow(rows[i + PrefetchDistance]);
            Unsafe.CopyBlockUnaligned(valueTarget + (long)i * _valueBytes, ValuesOf(rows[i]), (uint)_valueBytes);
            if (_scaleBytes > 0)
                Unsafe.CopyBlockUnaligned(scaleTarget + (long)i * _scaleBytes, ScalesOf(rows[i]), (uint)_scaleBytes);
        }
    }

    /// <summary>Copies all rows to a table of the same shape and format.</summary>
    public void CopyAll(in StoredRows target, long rows)
    {
        Buffer.MemoryCopy(values, target.ValuesOf(0), rows * _valueBytes, rows * _valueBytes);
        if (_scaleBytes > 0)
            Buffer.MemoryCopy(scales, target.ScalesOf(0), rows * _scaleBytes, rows * _scaleBytes);
    }

    /// <summary>Exchanges two rows.</summary>
    public void Swap(long row, long other)
    {
        if (row == other) return;
        Exchange(ValuesOf(row), ValuesOf(other), _valueBytes);
        if (_scaleBytes > 0)
            Exchange(ScalesOf(row), ScalesOf(other), _scaleBytes);

        static void Exchange(byte* a, byte* b, int bytes)
        {
            for (var i = 0; i < bytes; i++)
                (a[i], b[i]) = (b[i], a[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PrefetchRow(long row)
    {
        Prefetch(ValuesOf(row), (uint)_valueBytes);
        if (_scaleBytes > 0)
            Prefetch(ScalesOf(row), (uint)_scaleBytes);
    }

    /// <summary>Asks memory for bytes that are needed soon, into the second-level cache. A hint: any address is harmless.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(void* address, uint bytes)
    {
        if (!Sse.IsSupported) return;
        for (var line = 0u; line < bytes; line += CacheLine)
            Sse.Prefetch1((byte*)address + line);
    }
}

using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Engram.Storage;

namespace Engram.Tables;

/// <summary>
/// The table of one memory layer (paper §2.3): float32 rows in native memory, of any size. It is not a tensor: rows are gathered out of it and an optimizer of its own writes them.
/// Reading from several threads is safe while nobody writes. Must be disposed.
/// </summary>
public sealed unsafe class EngramTable : IDisposable
{
    // Rows ahead that the gather asks memory for: enough to cover its latency, few enough to stay in the first-level cache.
    private const int PrefetchDistance = 8;
    private const int CacheLine = 64;

    private readonly NativeBuffer<float> _values;

    /// <summary>Makes a table of zeros: a memory that adds nothing until it is trained.</summary>
    /// <param name="rows">Rows R, at least 1.</param>
    /// <param name="width">Width w of a row in elements, at least 1.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public EngramTable(long rows, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, long.MaxValue / sizeof(float) / width);
        Rows = rows;
        Width = width;
        _values = new NativeBuffer<float>(rows * width);
    }

    /// <summary>Rows R.</summary>
    public long Rows { get; }

    /// <summary>Width w of a row, in elements.</summary>
    public int Width { get; }

    /// <summary>First value; rows follow each other without gap, the first is aligned to 64 bytes. Valid until disposal.</summary>
    public float* Pointer => _values.Pointer;

    /// <summary>One row, in place.</summary>
    /// <param name="row">0 to R − 1.</param>
    /// <returns>A view [w], valid until disposal.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public Span<float> Row(long row)
    {
        if ((ulong)row >= (ulong)Rows)
            ThrowNoSuchRow(row, 0);
        return _values.Slice(row * Width, Width);
    }

    /// <summary>Copies rows. Row −1, the address of a dead position, is answered with zeros.</summary>
    /// <param name="rows">Row numbers [n], −1 or 0 to R − 1, in any order, repeated or not.</param>
    /// <param name="destination">Receives the rows [n, w].</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row; <paramref name="destination"/> is partly written.</exception>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is not n·w long.</exception>
    public void Gather(ReadOnlySpan<long> rows, Span<float> destination)
    {
        if (destination.Length != (long)rows.Length * Width)
            throw new ArgumentException($"{rows.Length} rows of width {Width} need {(long)rows.Length * Width} values; there is room for {destination.Length}.", nameof(destination));
        var table = Pointer;
        var bytes = (uint)Width * sizeof(float);
        ref var target = ref Unsafe.As<float, byte>(ref MemoryMarshal.GetReference(destination));
        for (var i = 0; i < rows.Length; i++)
        {
            if (i + PrefetchDistance < rows.Length)
                Prefetch(table + rows[i + PrefetchDistance] * Width, bytes);
            var row = rows[i];
            ref var slot = ref Unsafe.AddByteOffset(ref target, (nint)i * (nint)bytes);
            if ((ulong)row < (ulong)Rows)
                Unsafe.CopyBlockUnaligned(ref slot, ref *(byte*)(table + row * Width), bytes);
            else if (row == -1)
                Unsafe.InitBlockUnaligned(ref slot, 0, bytes);
            else
                ThrowNoSuchRow(row, i);
        }
    }

    /// <summary>Sets every value to zero.</summary>
    public void FillZero() => _values.Clear();

    /// <summary>Draws every value from a normal distribution around zero. The same seed gives the same values whatever the number of threads.</summary>
    /// <param name="seed">Any number.</param>
    /// <param name="standardDeviation">Not negative, finite.</param>
    public void FillNormal(ulong seed, float standardDeviation)
    {
        if (!(standardDeviation >= 0 && float.IsFinite(standardDeviation)))
            throw new ArgumentOutOfRangeException(nameof(standardDeviation), standardDeviation, "A standard deviation is a finite number of at least 0.");
        const long block = 1 << 16;
        var random = new SplitMix64(seed);
        var (start, length) = ((nint)Pointer, _values.Length);
        Parallel.For(0, (length + block - 1) / block, b =>
        {
            var values = (float*)start;
            var end = Math.Min(length, (b + 1) * block);
            for (var i = b * block; i < end; i += 2)
            {
                var (first, second) = random.NormalPairAt((ulong)i / 2);
                values[i] = (float)(standardDeviation * first);
                if (i + 1 < end)
                    values[i + 1] = (float)(standardDeviation * second);
            }
        });
    }

    /// <summary>A copy whose rows are permuted within each segment: the control that asks whether it matters which row an n-gram reads (paper §6).</summary>
    /// <param name="seed">Any number; the same seed gives the same permutation.</param>
    /// <param name="offsets">First row of each segment, ascending from 0.</param>
    /// <exception cref="ArgumentException">The offsets are no division of this table.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory for a second table.</exception>
    public EngramTable Shuffled(ulong seed, ReadOnlySpan<long> offsets)
    {
        for (var i = 0; i < offsets.Length; i++)
            if (offsets[i] >= Rows || (i == 0 ? offsets[i] != 0 : offsets[i] <= offsets[i - 1]))
                throw new ArgumentException($"Offset {offsets[i]} of segment {i}: offsets ascend from 0 and stay below the table's {Rows} rows.", nameof(offsets));
        var copy = new EngramTable(Rows, Width);
        Buffer.MemoryCopy(Pointer, copy.Pointer, _values.Length * sizeof(float), _values.Length * sizeof(float));
        var random = new SplitMix64(seed);
        Span<float> held = new float[Width];
        for (var i = 0; i < offsets.Length; i++)
            // Fisher and Yates, from the last row of the segment down.
            for (var row = (i + 1 < offsets.Length ? offsets[i + 1] : Rows) - 1; row > offsets[i]; row--)
            {
                var other = offsets[i] + random.BelowAt((ulong)row, row - offsets[i] + 1);
                copy.Row(row).CopyTo(held);
                copy.Row(other).CopyTo(copy.Row(row));
                held.CopyTo(copy.Row(other));
            }
        return copy;
    }

    /// <summary>Writes the table as a safetensors file with one tensor, F32 [R, w].</summary>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="tensorName">Name of the tensor.</param>
    /// <exception cref="IOException">The file cannot be written; one that was there before is intact.</exception>
    public void Save(string path, string tensorName)
    {
        var writer = new SafetensorsWriter();
        writer.Add(tensorName, DType.F32, Pointer, Rows, Width);
        writer.Write(path);
    }

    /// <summary>Reads a table.</summary>
    /// <param name="path">A safetensors file.</param>
    /// <param name="tensorName">Name of the tensor, F32 [R, w].</param>
    /// <param name="rows">Rows R it must have, for example those of the layer's addressing; any if null.</param>
    /// <param name="width">Width w it must have; any if null.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or the tensor is missing, of another type or shape, empty, or not finite.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public static EngramTable Load(string path, string tensorName, long? rows = null, int? width = null)
    {
        using var file = SafetensorsFile.Open(path);
        var tensor = file.Require(tensorName, DType.F32, rows ?? -1, width ?? -1);
        if (tensor.ByteLength == 0 || tensor.Shape[1] > int.MaxValue)
            throw new InvalidDataException($"{path}: tensor '{tensorName}' of {TensorInfo.Describe(tensor.DType, tensor.Shape)} is no table.");
        var table = new EngramTable(tensor.Shape[0], (int)tensor.Shape[1]);
        try
        {
            Buffer.MemoryCopy(file.Pointer(tensorName), table.Pointer, tensor.ByteLength, tensor.ByteLength);
            for (var row = 0L; row < table.Rows; row++)
                if (!TensorPrimitives.IsFiniteAll<float>(table.Row(row)))
                    throw new InvalidDataException($"{path}: row {row} of tensor '{tensorName}' holds a value that is not finite.");
            return table;
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose() => _values.Dispose();

    /// <summary>Asks memory for bytes that are needed soon. A hint: any address is harmless.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Prefetch(void* address, uint bytes)
    {
        if (!Sse.IsSupported) return;
        for (var line = 0u; line < bytes; line += CacheLine)
            Sse.Prefetch0((byte*)address + line);
    }

    private void ThrowNoSuchRow(long row, int position) =>
        throw new ArgumentOutOfRangeException(nameof(row), row, $"Row {row} at position {position}: the table has the rows 0 to {Rows - 1}; -1 marks a position that reads none.");
}

using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>
/// The rows of another store with their directions exchanged for random ones: the control that asks whether it matters what a row says,
/// when how much it says is kept. Every row keeps its Euclidean norm, up to rounding, and so every head the distribution of its norms; rows
/// of zeros stay zeros. The direction is uniform on the sphere and a function of seed and row number alone. Nothing is copied: a table of
/// any size, format and place serves.
/// </summary>
/// <param name="source">Gives the norms; stays the caller's.</param>
/// <param name="seed">Any number.</param>
public sealed class RandomRows(IRowStore source, ulong seed) : IRowStore
{
    private readonly SplitMix64 _random = new(seed);

    /// <inheritdoc/>
    public long Rows => source.Rows;

    /// <inheritdoc/>
    public int Width => source.Width;

    /// <summary>Float32, whatever the source stores: a drawn row has no other form.</summary>
    public RowFormat Format => RowFormat.Float32;

    /// <inheritdoc/>
    public bool InMemory => source.InMemory;

    /// <inheritdoc/>
    public void Gather(ReadOnlySpan<long> rows, Span<float> destination, int threads = 1)
    {
        source.Gather(rows, destination, threads);
        for (var i = 0; i < rows.Length; i++)
        {
            var row = destination.Slice(i * Width, Width);
            var norm = Norm(row);
            if (norm == 0)
                continue;
            Draw(rows[i], row);
            TensorPrimitives.Multiply(row, (float)(norm / Norm(row)), row);
        }
    }

    /// <inheritdoc/>
    public void GatherStored(ReadOnlySpan<long> rows, Span<byte> values, Span<byte> scales)
    {
        if (values.Length != (long)rows.Length * Width * sizeof(float) || !scales.IsEmpty)
            throw new ArgumentException(
                $"{rows.Length} rows of {Width} float32 values need {(long)rows.Length * Width * sizeof(float)} bytes and no scales.",
                nameof(values)
            );
        if (rows.IndexOf(-1) is var dead and >= 0)
            throw new ArgumentOutOfRangeException(nameof(rows), rows[dead], $"Row -1 at position {dead} is not stored.");
        Gather(rows, MemoryMarshal.Cast<byte, float>(values));
    }

    /// <inheritdoc/>
    public void Prefetch(ReadOnlySpan<long> rows) => source.Prefetch(rows);

    /// <summary>Does nothing: the source is the caller's.</summary>
    public void Dispose() { }

    private void Draw(long row, Span<float> values)
    {
        var pairs = (ulong)(values.Length + 1) / 2;
        for (var i = 0; i < values.Length; i += 2)
        {
            var (first, second) = _random.NormalPairAt((ulong)row * pairs + (ulong)i / 2);
            values[i] = (float)first;
            if (i + 1 < values.Length)
                values[i + 1] = (float)second;
        }
    }

    private static double Norm(ReadOnlySpan<float> values)
    {
        var sum = 0.0;
        foreach (var value in values)
            sum += (double)value * value;
        return Math.Sqrt(sum);
    }
}

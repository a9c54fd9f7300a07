namespace Engram.Tables;

// What a table is filled with before it is trained, and in the controls.
public sealed unsafe partial class EngramTable
{
    /// <summary>Sets every value to zero.</summary>
    /// <exception cref="IOException">The device of a mapped table is full; no row has been changed.</exception>
    public void FillZero()
    {
        RequireWritable();
        _file?.Reserve(_stored.ValuesOf(0), Rows * _stored.ValueBytes);
        _stored.Clear(Rows);
    }

    /// <summary>
    /// Draws every value of a float32 table from a normal distribution around zero. The same seed gives the same values whatever the number
    /// of threads.
    /// </summary>
    /// <param name="seed">Any number.</param>
    /// <param name="standardDeviation">Not negative, finite.</param>
    public void FillNormal(ulong seed, float standardDeviation)
    {
        if (!(standardDeviation >= 0 && float.IsFinite(standardDeviation)))
            throw new ArgumentOutOfRangeException(
                nameof(standardDeviation),
                standardDeviation,
                "A standard deviation is a finite number of at least 0."
            );
        RequireWritable();
        _file?.Reserve(Pointer, Rows * Width * sizeof(float));
        const long block = 1 << 16;
        var random = new SplitMix64(seed);
        var (start, length) = ((nint)Pointer, Rows * Width);
        Parallel.For(
            0,
            (length + block - 1) / block,
            b =>
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
            }
        );
    }

    /// <summary>
    /// A copy in memory, of the same format, whose rows are permuted within each segment: the control that asks whether it matters which
    /// row an n-gram reads (paper §6).
    /// </summary>
    /// <param name="seed">Any number; the same seed gives the same permutation.</param>
    /// <param name="offsets">First row of each segment, ascending from 0.</param>
    /// <exception cref="ArgumentException">The offsets are no division of this table.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory for a second table.</exception>
    public EngramTable Shuffled(ulong seed, ReadOnlySpan<long> offsets)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        for (var i = 0; i < offsets.Length; i++)
            if (offsets[i] >= Rows || (i == 0 ? offsets[i] != 0 : offsets[i] <= offsets[i - 1]))
                throw new ArgumentException(
                    $"Offset {offsets[i]} of segment {i}: offsets ascend from 0 and stay below the table's {Rows} rows.",
                    nameof(offsets)
                );
        var copy = new EngramTable(Rows, Width, Format);
        _stored.CopyAll(copy._stored, Rows);
        var random = new SplitMix64(seed);
        for (var i = 0; i < offsets.Length; i++)
        // Fisher and Yates, from the last row of the segment down.
        for (var row = (i + 1 < offsets.Length ? offsets[i + 1] : Rows) - 1; row > offsets[i]; row--)
            copy._stored.Swap(row, offsets[i] + random.BelowAt((ulong)row, row - offsets[i] + 1));
        return copy;
    }
}

using System.Buffers;
using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Models.Memory;

/// <summary>The rows of a store, and behind them a few more, which stand in place of suppressed ones.</summary>
/// <param name="source">Stays the caller's.</param>
/// <param name="extra">The rows behind the source's, [n, w].</param>
internal sealed class SuppressedRows(IRowStore source, float[] extra) : IRowStore
{
    /// <inheritdoc/>
    public long Rows => source.Rows + (extra.Length / Width);

    /// <inheritdoc/>
    public int Width => source.Width;

    /// <summary>Float32, whatever the source stores: a mean has no other form.</summary>
    public RowFormat Format => RowFormat.Float32;

    /// <inheritdoc/>
    public bool InMemory => source.InMemory;

    /// <inheritdoc/>
    public void Gather(ReadOnlySpan<long> rows, Span<float> destination, int threads = 1)
    {
        var rented = ArrayPool<long>.Shared.Rent(rows.Length);
        var inner = rented.AsSpan(0, rows.Length);
        for (var i = 0; i < rows.Length; i++)
            inner[i] = rows[i] < source.Rows ? rows[i] : -1;
        source.Gather(inner, destination, threads);
        ArrayPool<long>.Shared.Return(rented);
        for (var i = 0; i < rows.Length; i++)
            if (rows[i] >= source.Rows)
                extra.AsSpan((int)(rows[i] - source.Rows) * Width, Width).CopyTo(destination.Slice(i * Width, Width));
    }

    /// <inheritdoc/>
    public void GatherStored(ReadOnlySpan<long> rows, Span<byte> values, Span<byte> scales) =>
        throw new NotSupportedException("Suppressed rows are read decoded; nobody stores them.");

    /// <inheritdoc/>
    public void Prefetch(ReadOnlySpan<long> rows) => source.Prefetch(rows);

    /// <summary>Does nothing: the source is the caller's.</summary>
    public void Dispose() { }
}

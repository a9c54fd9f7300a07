using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>
/// Where the rows of one memory layer's table come from: memory, a mapped file, a cache before a slower store. One surface, so that whoever
/// reads rows need not know. Reading from several threads is safe while nobody writes; disposing while another thread still reads is not.
/// </summary>
public interface IRowStore : IDisposable
{
    /// <summary>Rows R.</summary>
    long Rows { get; }

    /// <summary>Width w of a row, in values.</summary>
    int Width { get; }

    /// <summary>How rows are stored; they are handed out as float32 whatever it is.</summary>
    RowFormat Format { get; }

    /// <summary>Whether all rows are in memory, so that reading them never waits for a device.</summary>
    bool InMemory { get; }

    /// <summary>Copies rows, decoded. Row −1, the address of a dead position, yields zeros.</summary>
    /// <param name="rows">Row numbers [n], −1 or 0 to R − 1, in any order, repeated or not.</param>
    /// <param name="destination">Receives the rows [n, w].</param>
    /// <param name="threads">Most threads to use, at least 1; few rows are read by one. The result does not depend on it.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row; <paramref name="destination"/> is as it was.</exception>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is not n·w long.</exception>
    void Gather(ReadOnlySpan<long> rows, Span<float> destination, int threads = 1);

    /// <summary>Copies rows as they are stored: for a cache, which holds more of them that way, or to send them on.</summary>
    /// <param name="rows">Row numbers [n], 0 to R − 1, in any order, repeated or not.</param>
    /// <param name="values">Receives the value bytes of the rows, one row after the other [n, <see cref="RowFormat.ValueBytes"/>].</param>
    /// <param name="scales">Receives the scale bytes [n, <see cref="RowFormat.ScaleBytes"/>]; empty for formats without scales.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row; the destinations are as they were.</exception>
    /// <exception cref="ArgumentException">A destination has another length.</exception>
    void GatherStored(ReadOnlySpan<long> rows, Span<byte> values, Span<byte> scales);

    /// <summary>
    /// Says that rows are needed soon. A store on a device starts reading them and does not wait; others have nothing to do. A hint: rows
    /// that do not exist are passed over.
    /// </summary>
    /// <param name="rows">Row numbers [n].</param>
    void Prefetch(ReadOnlySpan<long> rows);
}

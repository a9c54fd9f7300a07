using System.Buffers;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>How far a pass over tables is.</summary>
/// <param name="Rows">Rows done.</param>
/// <param name="TotalRows">Rows there are.</param>
public readonly record struct TableProgress(long Rows, long TotalRows);

/// <summary>
/// Reads a table from its first row to its last in a few MiB of memory: the next part is on its way from the device while one is in use,
/// and what has been used is given back.
/// </summary>
internal static unsafe class TableScan
{
    /// <summary>Receives the decoded rows from a row on, [n, w].</summary>
    public delegate void Block(long firstRow, ReadOnlySpan<float> values);

    private const int ValuesPerBlock = 1 << 18;

    /// <summary>Hands out all rows in order.</summary>
    public static void Run(in StoredRows stored, long rows, int width, bool mapped, Block block, CancellationToken cancellation = default)
    {
        var blockRows = Math.Max(1, ValuesPerBlock / width);
        var numbers = ArrayPool<long>.Shared.Rent(blockRows);
        var values = ArrayPool<float>.Shared.Rent(blockRows * width);
        try
        {
            for (var row = 0L; row < rows; row += blockRows)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = (int)Math.Min(blockRows, rows - row);
                if (mapped && row + count < rows)
                    StartReading(stored, row + count, Math.Min(blockRows, rows - row - count));
                for (var i = 0; i < count; i++)
                    numbers[i] = row + i;
                fixed (long* first = numbers)
                fixed (float* target = values)
                    stored.Gather(first, count, target);
                block(row, values.AsSpan(0, count * width));
                if (mapped)
                    Forget(stored, row, count);
            }
        }
        finally
        {
            ArrayPool<long>.Shared.Return(numbers);
            ArrayPool<float>.Shared.Return(values);
        }
    }

    private static void StartReading(in StoredRows stored, long row, long count)
    {
        VirtualMemory.StartReading(stored.ValuesOf(row), count * stored.ValueBytes);
        if (stored.ScaleBytes > 0)
            VirtualMemory.StartReading(stored.ScalesOf(row), count * stored.ScaleBytes);
    }

    private static void Forget(in StoredRows stored, long row, long count)
    {
        VirtualMemory.Forget(stored.ValuesOf(row), count * stored.ValueBytes);
        if (stored.ScaleBytes > 0)
            VirtualMemory.Forget(stored.ScalesOf(row), count * stored.ScaleBytes);
    }
}

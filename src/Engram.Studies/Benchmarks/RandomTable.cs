using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Studies.Benchmarks;

/// <summary>Tables to read in benchmarks: every page written, so that none is the system's page of zeros.</summary>
internal static unsafe class RandomTable
{
    private const int BlockRows = 1 << 10;

    /// <summary>A table in memory that repeats a block of normal values.</summary>
    public static EngramTable Filled(long rows, int width, RowFormat format)
    {
        var table = new EngramTable(rows, width, format);
        using var block = new EngramTable(BlockRows, width);
        block.FillNormal(1, 1);
        var values = (nint)block.Pointer;
        Parallel.For(
            0,
            (rows + BlockRows - 1) / BlockRows,
            i =>
            {
                var count = (int)Math.Min(BlockRows, rows - i * BlockRows);
                table.Write(i * BlockRows, new ReadOnlySpan<float>((float*)values, count * width));
            }
        );
        return table;
    }
}

using System.Diagnostics;
using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Studies.Benchmarks;

/// <summary>Time per row of gathers from a table of one size.</summary>
/// <param name="Rows">Rows of the table.</param>
/// <param name="Bytes">Bytes of the table.</param>
/// <param name="HugePageBytes">Bytes of the rows, scales included, that lay in huge pages.</param>
/// <param name="NanosecondsPerRow">In batches of 65,536 random rows, one thread: the reads overlap.</param>
/// <param name="NanosecondsOfOneToken">The 16 random rows of one token, gathered alone: little overlaps.</param>
public sealed record SizeMeasurement(long Rows, long Bytes, long HugePageBytes, double NanosecondsPerRow, double NanosecondsOfOneToken);

/// <summary>
/// Does a look-up take as long from a large table as from a small one? FP8 rows of 64 values (66 bytes) in memory, read at random.
/// </summary>
public static class SizeBenchmark
{
    private const int Width = 64;
    private const int BatchRows = 1 << 16;
    private const int TokenRows = 16;
    private const int WarmUpRounds = 10; // the code is compiled anew while it runs

    /// <summary>
    /// Measures all sizes in turns, so that a drift of the machine meets all of them; medians of the rounds. The tables are in memory
    /// together.
    /// </summary>
    /// <param name="sizes">Rows of each table.</param>
    /// <param name="rounds">Rounds; in each every table is read once in a batch and once token by token.</param>
    /// <param name="cancellation">Ends the benchmark between rounds.</param>
    public static IReadOnlyList<SizeMeasurement> Run(IReadOnlyList<long> sizes, int rounds = 31, CancellationToken cancellation = default)
    {
        var tables = sizes.Select(size => RandomTable.Filled(size, Width, RowFormat.Float8())).ToArray();
        try
        {
            var (batches, tokens) = (sizes.Select(_ => new List<double>()).ToArray(), sizes.Select(_ => new List<double>()).ToArray());
            var random = new Random(1);
            var (rows, destination) = (new long[BatchRows], new float[BatchRows * Width]);
            for (var round = -WarmUpRounds; round < rounds; round++)
            for (var i = 0; i < tables.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                var batch = Seconds(() => tables[i].Gather(rows, destination), sizes[i]) / BatchRows;
                var token = Seconds(() => TokenByToken(tables[i]), sizes[i]) / (BatchRows / TokenRows);
                if (round < 0)
                    continue;
                batches[i].Add(batch * 1e9);
                tokens[i].Add(token * 1e9);
            }
            return
            [
                .. tables.Select(
                    (table, i) =>
                        new SizeMeasurement(
                            table.Rows,
                            table.Bytes,
                            table.HugePageBytes,
                            AddressingBenchmark.Median(batches[i]),
                            AddressingBenchmark.Median(tokens[i])
                        )
                ),
            ];

            double Seconds(Action read, long size)
            {
                for (var i = 0; i < rows.Length; i++)
                    rows[i] = random.NextInt64(size); // others than the caches remember
                var start = Stopwatch.GetTimestamp();
                read();
                return Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            void TokenByToken(EngramTable table)
            {
                for (var first = 0; first < rows.Length; first += TokenRows)
                    table.Gather(rows.AsSpan(first, TokenRows), destination.AsSpan(0, TokenRows * Width));
            }
        }
        finally
        {
            foreach (var table in tables)
                table.Dispose();
        }
    }
}

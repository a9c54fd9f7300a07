using System.Diagnostics;
using Engram.Tables;

namespace Engram.Studies.Benchmarks;

/// <summary>Time per row of gathers from a table of one size.</summary>
/// <param name="Rows">Rows of the table.</param>
/// <param name="Bytes">Bytes of the table.</param>
/// <param name="HugePageBytes">Bytes of the values that lay in huge pages.</param>
/// <param name="NanosecondsPerRow">In batches of 65,536 random rows, one thread: the reads overlap.</param>
/// <param name="NanosecondsOfOneToken">The 16 random rows of one token, gathered alone: little overlaps.</param>
public sealed record SizeMeasurement(long Rows, long Bytes, long HugePageBytes, double NanosecondsPerRow, double NanosecondsOfOneToken);

/// <summary>Does a look-up take as long from a large table as from a small one? FP8 rows of 64 values (66 bytes) in memory, read at random.</summary>
public static class SizeBenchmark
{
    private const int Width = 64;
    private const int BatchRows = 1 << 16;
    private const int TokenRows = 16;
    private const int WarmUpRounds = 3;
    private const long CompilationRows = 1000;   // a first table, not reported: the code is compiled anew while it runs

    /// <summary>Measures one size after the other; medians of the rounds.</summary>
    /// <param name="sizes">Rows of each table.</param>
    /// <param name="rounds">Rounds for each.</param>
    /// <param name="cancellation">Ends the benchmark between rounds.</param>
    public static IEnumerable<SizeMeasurement> Run(IEnumerable<long> sizes, int rounds = 9, CancellationToken cancellation = default)
    {
        var destination = new float[BatchRows * Width];
        foreach (var size in sizes.Prepend(CompilationRows))
        {
            using var table = RandomTable.Filled(size, Width, RowFormat.Float8());
            var random = new Random(1);
            var rows = Enumerable.Range(0, BatchRows).Select(_ => random.NextInt64(size)).ToArray();
            var warmUp = size == CompilationRows ? 30 * WarmUpRounds : WarmUpRounds;
            var (batch, token) = (new List<double>(), new List<double>());
            for (var round = -warmUp; round < rounds; round++)
            {
                cancellation.ThrowIfCancellationRequested();
                random.Shuffle(rows);
                for (var i = 0; i < rows.Length; i += 2)
                    rows[i] = random.NextInt64(size);   // others than the caches remember
                var start = Stopwatch.GetTimestamp();
                table.Gather(rows, destination);
                var batchSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                for (var i = 0; i < rows.Length; i++)
                    rows[i] = random.NextInt64(size);
                start = Stopwatch.GetTimestamp();
                for (var first = 0; first < rows.Length; first += TokenRows)
                    table.Gather(rows.AsSpan(first, TokenRows), destination.AsSpan(0, TokenRows * Width));
                var tokenSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (round < 0) continue;
                batch.Add(batchSeconds / rows.Length * 1e9);
                token.Add(tokenSeconds / (rows.Length / TokenRows) * 1e9);
            }
            if (size != CompilationRows)
                yield return new SizeMeasurement(size, table.Bytes, table.HugePageBytes, batch.Order().ElementAt(rounds / 2), token.Order().ElementAt(rounds / 2));
        }
    }
}

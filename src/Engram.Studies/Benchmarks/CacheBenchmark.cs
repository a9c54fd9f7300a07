using System.Diagnostics;
using Engram.Addressing;
using Engram.Corpora;
using Engram.Tables;
using Engram.Tables.Cache;
using Engram.Tables.Formats;
using Engram.Vocabulary;

namespace Engram.Studies.Benchmarks;

/// <summary>A cache of one size on the traffic.</summary>
/// <param name="Capacity">Rows it keeps.</param>
/// <param name="HitRate">Share of the look-ups that the file was spared, over the whole traffic from an empty cache on.</param>
/// <param name="PredictedHitRate">The same, predicted by <see cref="CachePrediction"/> from the addresses alone.</param>
/// <param name="RowsPerSecond">Look-ups per second over the whole traffic, the file being in the system's cache.</param>
/// <param name="DeviceRowsPerSecond">
/// Look-ups per second on later traffic, the file being on the device alone at the start of every batch.
/// </param>
public sealed record CacheMeasurement(
    long Capacity,
    double HitRate,
    double PredictedHitRate,
    double RowsPerSecond,
    double DeviceRowsPerSecond
);

/// <summary>Caches of several sizes in front of a mapped file.</summary>
/// <param name="Lookups">Rows asked for.</param>
/// <param name="DistinctRows">How many different ones.</param>
/// <param name="Caches">One for each size.</param>
/// <param name="MappedRowsPerSecond">The file without a cache, in the system's cache.</param>
/// <param name="DeviceRowsPerSecond">The file without a cache, on the device alone at the start of every batch.</param>
/// <param name="MemoryRowsPerSecond">A table in memory, the same batches.</param>
/// <param name="AllHitRowsPerSecond">A cache that keeps every row, the same batches.</param>
public sealed record CacheMeasurements(
    long Lookups,
    long DistinctRows,
    IReadOnlyList<CacheMeasurement> Caches,
    double MappedRowsPerSecond,
    double DeviceRowsPerSecond,
    double MemoryRowsPerSecond,
    double AllHitRowsPerSecond
);

/// <summary>
/// Hit rate and speed of <see cref="CachedRowStore"/> against its size, on the row traffic of a corpus: one memory layer, 8 heads of each
/// of the orders 2 and 3, fp8 rows of 64 values.
/// </summary>
public static class CacheBenchmark
{
    private const string Tensor = "cache-benchmark.weight";
    private const int Width = 64;
    private const int SlotsPerHead = 500_000;
    private const int BatchTokens = 256;
    private const int DeviceBatches = 20;

    /// <summary>Cache sizes as shares of the distinct rows.</summary>
    public static IReadOnlyList<double> Shares { get; } = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5];

    /// <summary>Runs the benchmark.</summary>
    /// <param name="corpus">Gives the traffic.</param>
    /// <param name="folder">On the device to measure; half a gigabyte is written there and removed in the end.</param>
    /// <param name="tokens">Training tokens to read, at most those of the corpus less 5,120.</param>
    public static CacheMeasurements Run(PreparedCorpus corpus, string folder, int tokens = 500_000)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $"engram-cache-benchmark-{Environment.ProcessId}.safetensors");
        try
        {
            var (rows, batchRows, tableRows) = Traffic(corpus, tokens + DeviceBatches * BatchTokens);
            var later = rows.AsMemory(^(DeviceBatches * batchRows)..);
            var traffic = rows.AsMemory(0, (rows.Length - later.Length) / batchRows * batchRows);
            using var memory = RandomTable.Filled(tableRows, Width, RowFormat.Float8());
            memory.Save(path, Tensor);
            var distinct = Distinct(traffic.Span, tableRows);
            long[] capacities = [.. Shares.Select(share => Math.Max(1, (long)(share * distinct)))];
            using var prediction = new CachePrediction(capacities);
            prediction.Add(traffic.Span);
            var predicted = prediction.HitRates.ToArray();
            var caches = capacities
                .Select(
                    (capacity, i) =>
                    {
                        var slower = new TableFileOnDevice(path);
                        using var cache = new CachedRowStore(slower, capacity);
                        BringIn(path);
                        var speed = Speed(cache, traffic.Span, batchRows);
                        return new CacheMeasurement(
                            capacity,
                            cache.Counts.HitRate,
                            predicted[i],
                            speed,
                            DeviceSpeed(cache, slower, later.Span, batchRows)
                        );
                    }
                )
                .ToList();

            double mapped,
                device,
                all;
            using (var file = new TableFileOnDevice(path))
            {
                BringIn(path);
                mapped = Speed(file, traffic.Span, batchRows);
                device = DeviceSpeed(file, file, later.Span, batchRows);
            }
            using (var cache = new CachedRowStore(EngramTable.Map(path, Tensor), tableRows))
            {
                _ = Speed(cache, traffic.Span, batchRows);
                all = Speed(cache, traffic.Span, batchRows);
            }
            _ = Speed(memory, traffic.Span, batchRows);
            return new CacheMeasurements(traffic.Length, distinct, caches, mapped, device, Speed(memory, traffic.Span, batchRows), all);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static (long[] Rows, int BatchRows, long TableRows) Traffic(PreparedCorpus corpus, int tokens)
    {
        var map = CanonicalMap.Build(corpus.Tokenizer);
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = map.CanonicalVocabularySize,
                Layers = [1],
                SlotsPerOrder = [SlotsPerHead, SlotsPerHead],
                HeadsPerOrder = 8,
                PadId = 0,
            }
        );
        var addresser = new NgramAddresser(constants);
        var (ids, starts, rows) = (new int[tokens], new bool[tokens], new long[tokens * addresser.Columns]);
        corpus.Training.CopyTo(0, ids);
        corpus.Training.CopyDocumentStartsTo(0, starts);
        for (var i = 0; i < tokens; i++)
            ids[i] = map[ids[i]];
        addresser.Address(ids, starts, 0, rows);
        return (rows, BatchTokens * addresser.Columns, constants.Layers[0].TotalRows);
    }

    private static long Distinct(ReadOnlySpan<long> rows, long tableRows)
    {
        var seen = new bool[tableRows];
        foreach (var row in rows)
            seen[row] = true;
        return seen.LongCount(row => row);
    }

    private static double Speed(IRowStore store, ReadOnlySpan<long> rows, int batchRows)
    {
        var values = new float[batchRows * Width];
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < rows.Length; i += batchRows)
            store.Gather(rows.Slice(i, batchRows), values);
        return rows.Length / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    // Into the system's cache. A mapping still meets a page fault at each page's first row, with a cache and without.
    private static void BringIn(string path)
    {
        using var file = File.OpenRead(path);
        file.CopyTo(Stream.Null, 1 << 20);
    }

    private static double DeviceSpeed(IRowStore store, TableFileOnDevice file, ReadOnlySpan<long> rows, int batchRows)
    {
        var values = new float[batchRows * Width];
        var seconds = 0.0;
        for (var i = 0; i < rows.Length; i += batchRows)
        {
            file.Forget();
            var start = Stopwatch.GetTimestamp();
            store.Gather(rows.Slice(i, batchRows), values);
            seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        return rows.Length / seconds;
    }

    // The mapped file, mapped anew to forget what has been read: the system keeps pages that a mapping holds.
    private sealed class TableFileOnDevice(string path) : IRowStore
    {
        private EngramTable _table = EngramTable.Map(path, Tensor);

        public long Rows => _table.Rows;

        public int Width => _table.Width;

        public RowFormat Format => _table.Format;

        public bool InMemory => _table.InMemory;

        public void Forget()
        {
            _table.Dispose();
            DeviceReads.Forget(path);
            _table = EngramTable.Map(path, Tensor);
        }

        public void Gather(ReadOnlySpan<long> rows, Span<float> destination, int threads = 1) => _table.Gather(rows, destination, threads);

        public void GatherStored(ReadOnlySpan<long> rows, Span<byte> values, Span<byte> scales) =>
            _table.GatherStored(rows, values, scales);

        public void Prefetch(ReadOnlySpan<long> rows) => _table.Prefetch(rows);

        public void Dispose() => _table.Dispose();
    }
}

using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text.Json.Serialization;
using Engram.Tables;
using Engram.Tables.Formats;
using TorchSharp;

namespace Engram.Studies.Benchmarks;

/// <summary>Rows per second of gathers of uniformly random rows, all measured in turns in one run.</summary>
/// <param name="Threads">Threads of every gather.</param>
/// <param name="TableBytes">Bytes of each table, whatever its format.</param>
/// <param name="Width">Values of a row.</param>
/// <param name="HugePageBytes">Bytes of the float32 table that lay in huge pages.</param>
/// <param name="RowsPerSecond">Float32 rows from <see cref="EngramTable"/>.</param>
/// <param name="LimitRowsPerSecond">
/// The machine's limit: an unchecked copy with the best of several ways to prefetch, from the same huge pages.
/// </param>
/// <param name="ReadOnlyRowsPerSecond">Rows read with the same prefetches and stored nowhere: what no gather can pass.</param>
/// <param name="IndexSelectRowsPerSecond">
/// libtorch's index_select of the same rows from a tensor of the same size, in the small pages that libtorch gives it.
/// </param>
/// <param name="IndexSelectHugePagesRowsPerSecond">
/// The same from huge pages, which a program that uses libtorch would have to ask for itself.
/// </param>
/// <param name="BFloat16RowsPerSecond">Decoded rows of a bfloat16 table of the same bytes.</param>
/// <param name="Fp8RowsPerSecond">Decoded rows of an FP8 table of the same bytes.</param>
/// <param name="Int8RowsPerSecond">Decoded rows of an int8 table of the same bytes.</param>
/// <param name="Int4RowsPerSecond">Decoded rows of an int4 table of the same bytes.</param>
public sealed record GatherMeasurement(
    int Threads,
    long TableBytes,
    int Width,
    long HugePageBytes,
    double RowsPerSecond,
    double LimitRowsPerSecond,
    double ReadOnlyRowsPerSecond,
    double IndexSelectRowsPerSecond,
    double IndexSelectHugePagesRowsPerSecond,
    [property: JsonPropertyName("bf16_rows_per_second")] double BFloat16RowsPerSecond,
    [property: JsonPropertyName("fp8_rows_per_second")] double Fp8RowsPerSecond,
    [property: JsonPropertyName("int8_rows_per_second")] double Int8RowsPerSecond,
    [property: JsonPropertyName("int4_rows_per_second")] double Int4RowsPerSecond
);

/// <summary>
/// How fast random rows come out of a table in memory, against a rival and against the limit. A batch is decoded into a buffer that is
/// reused; contestants take turns, those of float32 with the same batches, but each with another at a time, and each figure is that of the
/// median batch.
/// </summary>
public static unsafe partial class GatherBenchmark
{
    private const int BatchRows = 1 << 16;
    private const int Batches = 16;

    // Ways to ask memory for rows: how many at a time, how many of them ahead, into which level.
    private static readonly (int Burst, int Window, bool SecondLevel)[] Prefetches =
    [
        (1, 24, false),
        (1, 24, true),
        (1, 96, true),
        (4, 64, true),
        (16, 64, true),
        (64, 64, true),
    ];

    /// <summary>Runs the benchmark. Needs twice <paramref name="tableBytes"/> of memory.</summary>
    /// <param name="tableBytes">Size of every table; 4 GiB is far beyond the caches.</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="threads">Threads of every gather.</param>
    /// <param name="rounds">Rounds; each gathers 16 batches of 65,536 rows per contestant.</param>
    /// <param name="progress">Told what is measured.</param>
    /// <param name="cancellation">Ends the benchmark between rounds.</param>
    public static GatherMeasurement Run(
        long tableBytes = 4L << 30,
        int width = 64,
        int threads = 2,
        int rounds = 5,
        Action<string>? progress = null,
        CancellationToken cancellation = default
    )
    {
        progress?.Invoke("filling a float32 table");
        using var table = Filled(RowFormat.Float32);
        var rows = RandomRows(table.Rows);
        var destination = GC.AllocateUninitializedArray<float>(BatchRows * width, pinned: true);

        torch.set_num_threads(threads);
        double selected,
            selectedFromHugePages,
            limit,
            readOnly,
            gathered;
        using (var tensor = torch.empty([table.Rows, width], torch.ScalarType.Float32))
        {
            progress?.Invoke("copying it to a tensor");
            using var storage = tensor.storage<float>();
            Buffer.MemoryCopy(table.Pointer, (void*)storage.data_ptr(), table.Bytes, table.Bytes);
            progress?.Invoke("float32, index_select and the limit, in turns");
            var indices = rows.Select(batch => torch.tensor(batch)).ToArray();
            var contestants = new List<Action<int>>
            {
                batch => table.Gather(rows[batch], destination, threads),
                batch => tensor.index_select(0, indices[batch]).Dispose(),
            };
            contestants.AddRange(
                Prefetches.Select(prefetch =>
                    (Action<int>)(batch => PlainCopy(table.Pointer, width, rows[batch], destination, prefetch, threads))
                )
            );
            contestants.AddRange(
                Prefetches.Select(prefetch => (Action<int>)(batch => PlainCopy(table.Pointer, width, rows[batch], null, prefetch, threads)))
            );
            var speeds = InTurns(contestants, rounds, cancellation);
            var (copies, reads) = (speeds[2..(2 + Prefetches.Length)], speeds[(2 + Prefetches.Length)..]);
            (gathered, selected, limit, readOnly) = (speeds[0], speeds[1], copies.Max(), reads.Max());
            progress?.Invoke(
                $"float32 {gathered / 1e6:F1}, index_select {selected / 1e6:F1}, plain copies {Millions(copies)}, reading alone {Millions(reads)} million rows/s"
            );
            progress?.Invoke("the same with index_select from huge pages");
            MoveToHugePages((void*)storage.data_ptr(), table.Bytes);
            Buffer.MemoryCopy(table.Pointer, (void*)storage.data_ptr(), table.Bytes, table.Bytes);
            // With the plain copies in between: libtorch's threads spin on the cores for a while after their work.
            speeds = InTurns(contestants, rounds, cancellation);
            selectedFromHugePages = gathered * speeds[1] / speeds[0];
            foreach (var index in indices)
                index.Dispose();
        }

        var formats = new[] { RowFormat.BFloat16, RowFormat.Float8(), RowFormat.Int8(), RowFormat.Int4() }
            .Select(format =>
            {
                progress?.Invoke($"{format} and float32, in turns");
                using var other = Filled(format);
                var otherRows = RandomRows(other.Rows);
                var speeds = InTurns(
                    [
                        batch => table.Gather(rows[batch], destination, threads),
                        batch => other.Gather(otherRows[batch], destination, threads),
                    ],
                    rounds,
                    cancellation
                );
                // As a share of float32 in the same turns, so that a drift of the machine does not favour a format.
                return gathered * speeds[1] / speeds[0];
            })
            .ToArray();
        return new GatherMeasurement(
            threads,
            table.Bytes,
            width,
            table.HugePageBytes,
            gathered,
            limit,
            readOnly,
            selected,
            selectedFromHugePages,
            formats[0],
            formats[1],
            formats[2],
            formats[3]
        );

        static string Millions(double[] speeds) => string.Join(' ', speeds.Select(speed => $"{speed / 1e6:F1}"));
        EngramTable Filled(RowFormat format) => RandomTable.Filled(tableBytes / format.RowBytes(width), width, format);
    }

    /// <summary>
    /// Rows per second of each contestant. They take turns batch by batch, because a shared machine drifts within seconds; the median batch
    /// counts.
    /// </summary>
    private static double[] InTurns(IReadOnlyList<Action<int>> contestants, int rounds, CancellationToken cancellation)
    {
        var seconds = contestants.Select(_ => new List<double>()).ToArray();
        for (var round = -1; round < rounds; round++) // the first warms up
        for (var batch = 0; batch < Batches; batch++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (var i = 0; i < contestants.Count; i++)
            {
                var start = Stopwatch.GetTimestamp();
                // Each its own batch: what another has just read would come from the cache.
                contestants[i]((batch + 2 * i) % Batches);
                if (round >= 0)
                    seconds[i].Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }
        return [.. seconds.Select(times => BatchRows / times.Order().ElementAt(times.Count / 2))];
    }

    private static long[][] RandomRows(long tableRows)
    {
        var random = new Random(1);
        return
        [
            .. Enumerable.Range(0, Batches).Select(_ => Enumerable.Range(0, BatchRows).Select(_ => random.NextInt64(tableRows)).ToArray()),
        ];
    }

    /// <summary>
    /// The least that a gather can do: no check, no format, no dead position; without a destination rows are read and stored nowhere.
    /// </summary>
    private static void PlainCopy(
        float* table,
        int width,
        long[] rows,
        float[]? destination,
        (int Burst, int Window, bool SecondLevel) prefetch,
        int threads
    )
    {
        fixed (long* numbers = rows)
        fixed (float* target = destination)
        {
            var (first, into) = ((nint)numbers, (nint)target);
            Parallel.For(
                0,
                threads,
                new ParallelOptions { MaxDegreeOfParallelism = threads },
                part =>
                {
                    var (from, to) = (rows.Length * part / threads, rows.Length * (part + 1) / threads);
                    Copy(table, width, (long*)first, from, to, (float*)into, prefetch);
                }
            );
        }
    }

    private static void Copy(
        float* table,
        int width,
        long* rows,
        int from,
        int to,
        float* destination,
        (int Burst, int Window, bool SecondLevel) prefetch
    )
    {
        var bytes = (uint)width * sizeof(float);
        var read = Vector256<float>.Zero;
        for (var (i, asked) = (from, from); i < to; )
        {
            for (var end = Math.Min(i + prefetch.Window, to); asked < end; asked++)
            {
                if (!Sse.IsSupported)
                    continue;
                var ahead = (byte*)(table + rows[asked] * width);
                for (var line = 0u; line < bytes; line += 64)
                    if (prefetch.SecondLevel)
                        Sse.Prefetch1(ahead + line);
                    else
                        Sse.Prefetch0(ahead + line);
            }
            for (var end = Math.Min(i + prefetch.Burst, to); i < end; i++)
                if (destination is not null)
                    Copy(table + rows[i] * width, destination + (long)i * width, width);
                else
                    read += Sum(table + rows[i] * width, width);
        }
        if (destination is null && float.IsNaN(read[0]))
            // uses what was read, so that it is read
            throw new InvalidOperationException("The table of random finite rows holds a value that is none.");
    }

    private static Vector256<float> Sum(float* source, int width)
    {
        var (even, odd) = (Vector256<float>.Zero, Vector256<float>.Zero);
        var column = 0;
        for (; column + 2 * Vector256<float>.Count <= width; column += 2 * Vector256<float>.Count)
            (even, odd) = (even + Vector256.Load(source + column), odd + Vector256.Load(source + column + Vector256<float>.Count));
        for (; column < width; column++)
            even += Vector256.CreateScalar(source[column]);
        return even + odd;
    }

    private static void Copy(float* source, float* target, int width)
    {
        var column = 0;
        if (Vector512.IsHardwareAccelerated)
            for (; column + 4 * Vector512<float>.Count <= width; column += 4 * Vector512<float>.Count)
            {
                Vector512.Store(Vector512.Load(source + column), target + column);
                Vector512.Store(Vector512.Load(source + column + Vector512<float>.Count), target + column + Vector512<float>.Count);
                Vector512.Store(Vector512.Load(source + column + 2 * Vector512<float>.Count), target + column + 2 * Vector512<float>.Count);
                Vector512.Store(Vector512.Load(source + column + 3 * Vector512<float>.Count), target + column + 3 * Vector512<float>.Count);
            }
        for (; column + Vector256<float>.Count <= width; column += Vector256<float>.Count)
            Vector256.Store(Vector256.Load(source + column), target + column);
        for (; column < width; column++)
            target[column] = source[column];
    }

    // Gives the pages back, so that the next writes get huge ones. Their content is lost.
    private static void MoveToHugePages(void* start, long bytes)
    {
        const int adviseDontNeed = 4,
            adviseHugePage = 14;
        if (!OperatingSystem.IsLinux())
            return;
        var first = ((nuint)start + (nuint)Environment.SystemPageSize - 1) & ~((nuint)Environment.SystemPageSize - 1);
        var length = ((nuint)start + (nuint)bytes - first) & ~((nuint)Environment.SystemPageSize - 1);
        if (madvise((void*)first, length, adviseHugePage) == 0)
            _ = madvise((void*)first, length, adviseDontNeed);
    }

    [LibraryImport("libc")]
    private static partial int madvise(void* start, nuint length, int advice);
}

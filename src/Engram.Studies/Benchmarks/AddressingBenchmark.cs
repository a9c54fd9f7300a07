using System.Diagnostics;
using System.Runtime.Intrinsics;
using Engram.Addressing;

namespace Engram.Studies.Benchmarks;

/// <summary>Speed of addressing on this machine: 16 heads of the orders 2 and 3, constants of Engram-27B.</summary>
/// <param name="TokensPerSecond">One memory layer, a batch of <see cref="AddressingBenchmark.BatchTokens"/> tokens, one thread.</param>
/// <param name="LimitTokensPerSecond">
/// The same number of rows written with nothing computed, one thread: what the machine's stores allow.
/// </param>
/// <param name="DecodeNanosecondsPerToken">One decoded token in two memory layers.</param>
/// <param name="DecodeAllocatedBytes">Bytes allocated for all decoded tokens that were measured.</param>
public sealed record AddressingSpeed(
    double TokensPerSecond,
    double LimitTokensPerSecond,
    double DecodeNanosecondsPerToken,
    long DecodeAllocatedBytes
);

/// <summary>
/// Measures addressing in rounds, so that a caller can let a rival take turns. Results are written to the same memory every time, as batch
/// after batch of training does it.
/// </summary>
public sealed unsafe class AddressingBenchmark
{
    /// <summary>A batch whose rows (8 MiB) fit the last-level cache.</summary>
    public const int BatchTokens = 65_536;

    /// <summary>A batch whose rows (128 MB) do not.</summary>
    public const int LongBatchTokens = 1_000_000;

    private const int DecodedTokens = 100_000;
    private const ulong Scatter = 0x9E37_79B9_7F4A_7C15; // 2^64 / golden ratio
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(150);

    private readonly NgramAddresser _batches = Addresser(1);
    private readonly NgramAddresser _decoding = Addresser(1, 14);
    private readonly Dictionary<int, (int[] Ids, long[] Rows)> _buffers = [];
    private readonly HashSet<(string Work, int Tokens, int Threads)> _warm = [];

    /// <summary>Measures everything that one thread does, without a rival.</summary>
    /// <param name="rounds">Rounds of each measurement; medians are returned.</param>
    public static AddressingSpeed Measure(int rounds = 5)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rounds, 1);
        var benchmark = new AddressingBenchmark();
        var (speed, limit, decode) = (new double[rounds], new double[rounds], new double[rounds]);
        var allocated = 0L;
        for (var round = 0; round < rounds; round++)
        {
            speed[round] = benchmark.TokensPerSecond(BatchTokens, threads: 1);
            limit[round] = benchmark.LimitTokensPerSecond(BatchTokens);
            (decode[round], var bytes) = benchmark.Decode();
            allocated += bytes;
        }
        return new AddressingSpeed(Median(speed), Median(limit), Median(decode), allocated);
    }

    /// <summary>One round of addressing a batch in one memory layer.</summary>
    /// <param name="tokens">Tokens of the batch.</param>
    /// <param name="threads">Threads that may share it.</param>
    public double TokensPerSecond(int tokens, int threads)
    {
        var (ids, rows) = Buffers(tokens);
        return tokens / Seconds(("address", tokens, threads), () => _batches.Address(ids, [], 0, rows, threads));
    }

    /// <summary>
    /// One round of writing as many rows as a batch has with one thread, through the caches or past them, whichever is faster.
    /// </summary>
    /// <param name="tokens">Tokens of the batch.</param>
    public double LimitTokensPerSecond(int tokens)
    {
        var rows = Buffers(tokens).Rows;
        var cached = Seconds(("store", tokens, 1), () => Store(rows, pastCaches: false));
        var streamed = Seconds(("stream", tokens, 1), () => Store(rows, pastCaches: true));
        return tokens / Math.Min(cached, streamed);
    }

    /// <summary>One round of decoding token by token in two memory layers.</summary>
    /// <returns>Nanoseconds per token, and bytes that this thread allocated in the whole round.</returns>
    public (double NanosecondsPerToken, long AllocatedBytes) Decode()
    {
        var (ids, _) = Buffers(BatchTokens);
        var window = _decoding.NewWindow();
        var rows = new long[_decoding.LayerCount * _decoding.Columns];
        if (_warm.Add(("decode", 1, 1)))
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < WarmUp; )
                DecodeTokens(window, ids, rows);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var begin = Stopwatch.GetTimestamp();
        DecodeTokens(window, ids, rows);
        var elapsed = Stopwatch.GetElapsedTime(begin);
        return (elapsed.TotalNanoseconds / DecodedTokens, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>Sum of remainder · (2 · index + 1) modulo 2^64 over [token, column]: equal to a rival's if both compute the same.</summary>
    /// <param name="tokens">Tokens of the batch.</param>
    public ulong Checksum(int tokens)
    {
        var (ids, _) = Buffers(tokens);
        var residues = new long[tokens * _batches.Columns];
        _batches.Residues(ids, [], 0, residues);
        var sum = 0UL;
        for (var i = 0; i < residues.Length; i++)
            sum += (ulong)residues[i] * (2 * (ulong)i + 1);
        return sum;
    }

    /// <summary>The middle of several rounds.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private static NgramAddresser Addresser(params int[] layers) =>
        new(
            AddressingConstants.Derive(
                new AddressingSpec
                {
                    CompressedVocabularySize = 98_627,
                    Layers = [.. layers],
                    SlotsPerOrder = [2_262_400, 2_262_400],
                    HeadsPerOrder = 8,
                    PadId = 2,
                }
            )
        );

    private void DecodeTokens(AddressWindow window, int[] ids, long[] rows)
    {
        for (var i = 0; i < DecodedTokens; i++)
            _decoding.Append(window, ids.AsSpan(i % ids.Length, 1), [], rows);
    }

    private (int[] Ids, long[] Rows) Buffers(int tokens)
    {
        if (_buffers.TryGetValue(tokens, out var buffers))
            return buffers;
        var vocabulary = (ulong)_batches.Constants.Spec.CompressedVocabularySize;
        // Scattered ids that any program can make again.
        int[] ids = [.. Enumerable.Range(1, tokens).Select(i => (int)((((ulong)i * Scatter) >> 32) * vocabulary >> 32))];
        return _buffers[tokens] = (ids, new long[tokens * _batches.Columns]);
    }

    // Seconds of one repetition.
    private double Seconds((string, int, int) work, Action repetition)
    {
        if (_warm.Add(work))
            for (var warming = Stopwatch.StartNew(); warming.Elapsed < WarmUp; )
                repetition();
        var repetitions = 0;
        var clock = Stopwatch.StartNew();
        do
        {
            repetition();
            repetitions++;
        } while (clock.Elapsed < Round);
        return clock.Elapsed.TotalSeconds / repetitions;
    }

    private static void Store(long[] rows, bool pastCaches)
    {
        var value = Vector512.Create(1L);
        fixed (long* start = rows)
        {
            var first = (long*)(((nuint)start + 63) & ~(nuint)63);
            for (var row = first; row + Vector512<long>.Count <= start + rows.Length; row += Vector512<long>.Count)
                if (pastCaches)
                    value.StoreAlignedNonTemporal(row);
                else
                    value.StoreAligned(row);
        }
        Interlocked.MemoryBarrier();
    }
}

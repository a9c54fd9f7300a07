namespace Engram.Tables.Cache;

/// <summary>
/// Predicts what share of a table's look-ups a <see cref="CachedRowStore"/> of a given size would answer, from a stream of rows alone:
/// nothing is read, and memory is bounded however many rows there are.
/// <para>
/// The cache's own policy is simulated. A cache beyond the bounded size is simulated in miniature (SHARDS: Waldspurger et al., FAST 2015
/// and ATC 2017): a fixed, random part of all rows passes through a cache smaller by the same factor. Its misses, not its hits, are scaled
/// up, so that whether one of the few rows that everybody reads is among the sampled does not matter. Smaller ones are simulated in full;
/// then the prediction is exact but for the order within a batch.
/// </para>
/// Not thread-safe. Must be disposed.
/// </summary>
public sealed class CachePrediction : IDisposable
{
    private const int DefaultSimulatedRows = 1 << 16;
    private const ulong SamplingSeed = 1;

    private sealed class Miniature(int position, double rate, ulong threshold, S3Fifo policy)
    {
        public int Position => position;
        public double Rate => rate;
        public ulong Threshold => threshold; // rows whose hash is not above it pass through
        public S3Fifo Policy => policy;
        public long Misses { get; set; }
    }

    private readonly Miniature[] _miniatures; // by falling threshold
    private readonly double[] _hitRates;

    /// <summary>Prepares the prediction for caches of several sizes, in one pass.</summary>
    /// <param name="capacities">Rows that each cache keeps, at least 1.</param>
    /// <param name="simulatedRows">
    /// Most rows that each simulation keeps, about 50 bytes each: the more, the closer the prediction. 65,536 unless there is reason for
    /// another.
    /// </param>
    public CachePrediction(ReadOnlySpan<long> capacities, int simulatedRows = DefaultSimulatedRows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(simulatedRows, 1);
        foreach (var capacity in capacities)
            ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1, nameof(capacities));
        var miniatures = new Miniature[capacities.Length];
        for (var i = 0; i < miniatures.Length; i++)
        {
            var rate = Math.Min(1, simulatedRows / (double)capacities[i]);
            miniatures[i] = new Miniature(
                i,
                rate,
                rate == 1 ? ulong.MaxValue : (ulong)(rate * Math.Pow(2, 64)),
                new S3Fifo((int)Math.Min(simulatedRows, capacities[i]))
            );
        }
        _miniatures = [.. miniatures.OrderByDescending(miniature => miniature.Threshold)];
        _hitRates = new double[miniatures.Length];
    }

    /// <summary>Rows of the stream so far; dead positions are none.</summary>
    public long Lookups { get; private set; }

    /// <summary>Takes the next rows of the stream.</summary>
    /// <param name="rows">Row numbers of one table, as they are looked up; −1 is passed over.</param>
    public void Add(ReadOnlySpan<long> rows)
    {
        var random = new SplitMix64(SamplingSeed);
        foreach (var row in rows)
        {
            if (row < 0)
                continue;
            Lookups++;
            var hash = random.At((ulong)row);
            foreach (var miniature in _miniatures)
            {
                if (hash > miniature.Threshold)
                    break;
                if (miniature.Policy.Hit(row) >= 0)
                    continue;
                miniature.Policy.Insert(row);
                miniature.Misses++;
            }
        }
    }

    /// <summary>
    /// Predicted share of the look-ups so far that each cache answers, 0 to 1, in the order of the capacities. A row's first look-up is a
    /// miss in every cache. 0 before the first look-up.
    /// </summary>
    public ReadOnlySpan<double> HitRates
    {
        get
        {
            foreach (var miniature in _miniatures)
                _hitRates[miniature.Position] = Lookups == 0 ? 0 : Math.Max(0, 1 - miniature.Misses / miniature.Rate / Lookups);
            return _hitRates;
        }
    }

    /// <summary>Frees the simulations.</summary>
    public void Dispose()
    {
        foreach (var miniature in _miniatures)
            miniature.Policy.Dispose();
    }
}

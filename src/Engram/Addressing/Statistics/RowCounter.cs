using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Engram.Addressing.Statistics;

/// <summary>
/// Counts for every row of a layer the distinct n-grams that share it and their look-ups. The rows of an order are taken in passes of as
/// many as memory allows; every pass reads all distinct n-grams of the order, whose mix gives the rows of all heads.
/// </summary>
/// <param name="packing">Of the n-grams.</param>
/// <param name="rowsAtATime">Rows of one pass, at least 1.</param>
/// <param name="positions">Look-ups of every head.</param>
/// <param name="cancellation">Looked at once per block of n-grams.</param>
/// <param name="done">Told n-grams times heads as they are done.</param>
internal sealed class RowCounter(
    NgramPacking packing,
    long rowsAtATime,
    long positions,
    CancellationToken cancellation,
    Action<double> done
)
{
    /// <summary>Bytes for each row of a pass.</summary>
    public const int BytesPerRow = 16;

    private Row[] _rows = [];

    private struct Row
    {
        public long Reads;
        public int Ngrams;
    }

    /// <summary>A part of a head's segment.</summary>
    private sealed record Piece(int Head, FastModulo Modulo, long SegmentRows, long FirstRow, int Rows, int Start);

    private sealed class Totals
    {
        public long Touched,
            Squares,
            Colliding,
            CollidingReads;
    }

    /// <summary>Statistics of one layer.</summary>
    /// <param name="layer">Its constants.</param>
    /// <param name="minOrder">Smallest order.</param>
    /// <param name="ngrams">Distinct n-grams of every order, from the smallest.</param>
    public LayerStatistics Count(LayerConstants layer, int minOrder, IReadOnlyList<NgramRun> ngrams)
    {
        var rowsByReads = new Dictionary<long, long>();
        var heads = new List<HeadStatistics>();
        var orders = new List<OrderCollisions>();
        for (var order = minOrder; order < minOrder + ngrams.Count; order++)
        {
            var (run, primes) = (ngrams[order - minOrder], layer.Primes[order - minOrder]);
            var totals = primes.Select(_ => new Totals()).ToArray();
            foreach (var pass in Passes(primes))
            {
                Read(run, order, layer.Multipliers, pass);
                foreach (var piece in pass)
                    Sum(piece, totals[piece.Head], rowsByReads);
            }
            heads.AddRange(
                totals.Select(
                    (head, k) =>
                        new HeadStatistics(
                            order,
                            k,
                            primes[k],
                            head.Touched,
                            run.Count,
                            head.Squares,
                            head.Colliding,
                            head.CollidingReads,
                            positions
                        )
                )
            );
            orders.Add(
                new OrderCollisions(
                    order,
                    run.Count,
                    new EqualAddresses(packing, rowsAtATime * BytesPerRow / sizeof(ulong), cancellation).Count(
                        run,
                        order,
                        layer.Multipliers,
                        primes
                    )
                )
            );
        }
        return new LayerStatistics(layer.Layer, layer.TotalRows, heads, orders, new RowTraffic(rowsByReads));
    }

    private List<List<Piece>> Passes(ImmutableArray<long> primes)
    {
        var passes = new List<List<Piece>> { new() };
        var used = 0L;
        for (var head = 0; head < primes.Length; head++)
        {
            var modulo = new FastModulo(primes[head]);
            for (var row = 0L; row < primes[head]; )
            {
                if (used == rowsAtATime)
                {
                    passes.Add([]);
                    used = 0;
                }
                var rows = (int)Math.Min(primes[head] - row, rowsAtATime - used);
                passes[^1].Add(new Piece(head, modulo, primes[head], row, rows, (int)used));
                row += rows;
                used += rows;
            }
        }
        return passes;
    }

    private void Read(NgramRun run, int order, ImmutableArray<long> multipliers, List<Piece> pass)
    {
        var needed = pass[^1].Start + pass[^1].Rows;
        if (_rows.Length < needed)
            _rows = new Row[needed];
        else
            Array.Clear(_rows, 0, needed);
        var block = new NgramCount[NgramRunReader.BlockLength];
        var mixes = new ulong[block.Length];
        for (var from = 0L; from < run.Count; from += block.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            var length = run.Read(from, block);
            for (var i = 0; i < length; i++)
                mixes[i] = packing.Mix(block[i].Key, order, multipliers);
            foreach (var piece in pass)
                for (var i = 0; i < length; i++)
                {
                    var at = piece.Modulo.Of(mixes[i]) - piece.FirstRow;
                    if ((ulong)at >= (ulong)piece.Rows)
                        continue;
                    ref var row = ref _rows[piece.Start + (int)at];
                    row.Reads += block[i].Count;
                    row.Ngrams++;
                }
            // A head taken in several passes counts by the share of its rows.
            done(pass.Sum(piece => length * ((double)piece.Rows / piece.SegmentRows)));
        }
    }

    private void Sum(Piece piece, Totals totals, Dictionary<long, long> rowsByReads)
    {
        foreach (ref readonly var row in _rows.AsSpan(piece.Start, piece.Rows))
        {
            if (row.Ngrams == 0)
                continue;
            totals.Touched++;
            totals.Squares += (long)row.Ngrams * row.Ngrams;
            if (row.Ngrams > 1)
            {
                totals.Colliding += row.Ngrams;
                totals.CollidingReads += row.Reads;
            }
            CollectionsMarshal.GetValueRefOrAddDefault(rowsByReads, row.Reads, out _)++;
        }
    }
}

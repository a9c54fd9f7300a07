using Engram.Addressing;
using Engram.Addressing.Statistics;
using Engram.Tables.Cache;
using Engram.Tables.Formats;

namespace Engram.Cli.Commands;

/// <summary>Caches of the rows of some layers, simulated in miniature on the traffic of a corpus in its own order.</summary>
internal sealed class TableStatsCaches : IDisposable
{
    private static readonly double[] DefaultShares = [0.001, 0.01, 0.1];

    private readonly NgramAddresser _addresser;
    private readonly AddressWindow _window;
    private readonly IReadOnlyList<int> _layerPositions;
    private readonly CachePrediction[] _predictions;
    private readonly long[][] _sizes;
    private long[] _rows = [];

    /// <summary>Prepares the simulations.</summary>
    /// <param name="constants">Of the memory.</param>
    /// <param name="layerPositions">Layers to look at.</param>
    /// <param name="sizes">Rows of the caches, ascending; empty for shares of each table.</param>
    public TableStatsCaches(AddressingConstants constants, IReadOnlyList<int> layerPositions, IReadOnlyList<long> sizes)
    {
        _addresser = new NgramAddresser(constants);
        _window = _addresser.NewWindow();
        _layerPositions = layerPositions;
        _sizes = [.. layerPositions.Select(position => sizes.Count > 0 ? [.. sizes] : Shares(constants.Layers[position].TotalRows))];
        _predictions = [.. _sizes.Select(ofLayer => new CachePrediction(ofLayer))];
    }

    /// <summary>Passes the next tokens of the corpus through the caches.</summary>
    public void Add(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts)
    {
        var perLayer = canonicalIds.Length * _addresser.Columns;
        if (_rows.Length < perLayer * _addresser.LayerCount)
            _rows = new long[perLayer * _addresser.LayerCount];
        _addresser.Append(_window, canonicalIds, documentStarts, _rows.AsSpan(0, perLayer * _addresser.LayerCount));
        for (var i = 0; i < _predictions.Length; i++)
            _predictions[i].Add(_rows.AsSpan(_layerPositions[i] * perLayer, perLayer));
    }

    /// <summary>What is known about the caches of one layer.</summary>
    /// <param name="index">Of the layer among those looked at.</param>
    /// <param name="traffic">Of the layer.</param>
    /// <param name="width">Values of a row.</param>
    public IReadOnlyList<CacheFigures> Of(int index, RowTraffic traffic, int width)
    {
        var simulated = _predictions[index].HitRates.ToArray();
        return
        [
            .. _sizes[index]
                .Select(
                    (rows, i) =>
                        new CacheFigures(
                            rows,
                            CachedRowStore.BytesFor(rows, RowFormat.Float32, width),
                            traffic.TopShare(rows),
                            traffic.LruHitRate(rows),
                            simulated[i]
                        )
                ),
        ];
    }

    public void Dispose()
    {
        foreach (var prediction in _predictions)
            prediction.Dispose();
    }

    private static long[] Shares(long rows) => [.. DefaultShares.Select(share => Math.Max(1, (long)(share * rows)))];
}

/// <summary>Hit rates of one cache.</summary>
/// <param name="Rows">Rows it holds.</param>
/// <param name="Bytes">Bytes of the cache: float32 rows and what it needs to find them.</param>
/// <param name="FixedHitRate">If it holds the most read rows all the time.</param>
/// <param name="LruHitRate">If it evicts the least recently used row: Che's approximation of the steady state.</param>
/// <param name="SimulatedHitRate">Of the row cache of this program on the corpus in its order, first reads counted as misses.</param>
internal sealed record CacheFigures(long Rows, long Bytes, double FixedHitRate, double LruHitRate, double SimulatedHitRate);

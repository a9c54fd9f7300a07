using Engram.Addressing.Statistics;
using Engram.Cli.CommandLine;
using Engram.Studies.Pages;
using Spectre.Console;
using static Engram.Cli.CommandLine.Columns;

namespace Engram.Cli.Commands;

/// <summary>How <c>engram table stats</c> shows what it has counted.</summary>
internal static class TableStatsReport
{
    private const int RowsShown = 10;

    /// <summary>What <c>--json</c> writes.</summary>
    public static object Describe(
        string model,
        string corpus,
        AddressingStatistics statistics,
        IReadOnlyList<IReadOnlyList<CacheFigures>> caches
    ) =>
        new
        {
            Model = model,
            Corpus = corpus,
            statistics.Positions,
            statistics.Orders,
            Layers = statistics.Layers.Select(
                (layer, i) =>
                    new
                    {
                        layer.Layer,
                        layer.Rows,
                        layer.Traffic.RowsTouched,
                        layer.TouchedShare,
                        layer.Traffic.Lookups,
                        layer.Traffic.ZipfExponent,
                        layer.Traffic.FirstReadShare,
                        layer.Heads,
                        Indistinguishable = layer.Orders,
                        Traffic = Ranks(layer)
                            .Select(rank => new
                            {
                                Rank = rank,
                                Reads = layer.Traffic.ReadsAtRank(rank),
                                TopShare = layer.Traffic.TopShare(rank),
                            }),
                        Caches = caches[i],
                    }
            ),
        };

    /// <summary>The tables of a terminal.</summary>
    public static void Write(AddressingStatistics statistics, IReadOnlyList<IReadOnlyList<CacheFigures>> caches)
    {
        Console.Out.WriteLine($"{statistics.Positions:N0} positions");
        var orders = NumbersBehind("order", "distinct n-grams", "seen once");
        foreach (var order in statistics.Orders)
            orders.AddRow($"{order.Order}", $"{order.DistinctNgrams:N0}", $"{(double)order.NgramsSeenOnce / order.DistinctNgrams:P1}");
        Terminal.Answer.Write(orders);
        foreach (var (layer, ofLayer) in statistics.Layers.Zip(caches))
            WriteLayer(layer, ofLayer);
        Console.Out.WriteLine(
            "Collision rate: share of distinct n-grams that share their row with another; deviations: by how many standard deviations "
                + "n-grams are spread less evenly than by a random hash."
        );
    }

    private static void WriteLayer(LayerStatistics layer, IReadOnlyList<CacheFigures> caches)
    {
        var traffic = layer.Traffic;
        Console.Out.WriteLine();
        Console.Out.WriteLine(
            $"Layer {layer.Layer} (from 0): {layer.Rows:N0} rows, {traffic.RowsTouched:N0} touched ({layer.TouchedShare:P2}), "
                + $"{traffic.Lookups:N0} look-ups"
        );
        var heads = NumbersBehind(AddressingReport.HeadColumns[0], AddressingReport.HeadColumns.Skip(1));
        foreach (var head in layer.Heads)
            heads.AddRow([.. AddressingReport.HeadCells(head)]);
        Terminal.Answer.Write(heads);
        foreach (var order in layer.Orders)
            Console.Out.WriteLine(
                $"Order {order.Order}: {order.EqualInAllHeads:N0} of {order.DistinctNgrams:N0} n-grams share all their rows with one "
                    + "other n-gram."
            );

        var ranks = NumbersBehind("rows, most read first", "share of the table", "reads of the last one", "share of look-ups");
        foreach (var rank in Ranks(layer).Take(RowsShown))
            ranks.AddRow(
                $"{rank:N0}",
                $"{(double)rank / layer.Rows:P4}",
                $"{traffic.ReadsAtRank(rank):N0}",
                $"{traffic.TopShare(rank):P2}"
            );
        Terminal.Answer.Write(ranks);
        if (traffic.ZipfExponent is { } exponent)
            Console.Out.WriteLine($"Reads fall as rank^-{exponent:F2}.");

        var predictions = NumbersBehind(
            "cache of rows",
            "bytes",
            "share of the table",
            "hit rate, simulated",
            "best fixed rows",
            "least recently used"
        );
        foreach (var cache in caches)
            predictions.AddRow(
                $"{cache.Rows:N0}",
                $"{cache.Bytes:N0}",
                $"{(double)cache.Rows / layer.Rows:P2}",
                $"{cache.SimulatedHitRate:P2}",
                $"{cache.FixedHitRate:P2}",
                $"{cache.LruHitRate:P2}"
            );
        Terminal.Answer.Write(predictions);
        Console.Out.WriteLine(
            $"First reads, which miss in any cache that starts empty, are {traffic.FirstReadShare:P2} of the look-ups; only the "
                + "simulation counts them."
        );
    }

    private static IEnumerable<long> Ranks(LayerStatistics layer) => RowTraffic.LogSpaced(layer.Traffic.RowsTouched, 1);
}

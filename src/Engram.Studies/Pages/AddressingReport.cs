using System.Text;
using Engram.Addressing.Statistics;

namespace Engram.Studies.Pages;

/// <summary>Shows in HTML what the n-grams of a corpus do to the rows of a memory: traffic by rank, caches, collisions.</summary>
public static class AddressingReport
{
    private const double PointsPerDecade = 8;

    // Distinct also for readers who see few colours.
    private static readonly string[] Colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999"];

    /// <summary>The columns of a table with a row for every head.</summary>
    public static IReadOnlyList<string> HeadColumns { get; } =
    [
        "order, head",
        "rows",
        "touched",
        "random hash",
        "deviations",
        "n-grams per touched row",
        "collision rate",
        "random hash",
        "of look-ups",
    ];

    /// <summary>A whole page: one file, nothing fetched.</summary>
    /// <param name="title">Plain text, for example model and corpus.</param>
    /// <param name="statistics">What to show.</param>
    public static string Page(string title, AddressingStatistics statistics)
    {
        var page = new StringBuilder(
            $"<h1>{Html.Escape(title)}</h1>\n<p>{statistics.Positions:N0} positions. {Html.Escape(Ngrams(statistics))}</p>\n"
        );
        foreach (var layer in statistics.Layers)
        {
            var traffic = layer.Traffic;
            page.Append(
                    $"<h2>Layer {layer.Layer}, counted from 0</h2>\n<p>{layer.Rows:N0} rows, {traffic.RowsTouched:N0} of them read ({layer.TouchedShare:P2}).</p>\n"
                )
                .Append(Html.Table(HeadColumns, layer.Heads.Select(HeadCells)))
                .Append(
                    "<p class=\"note\">Collision rate: share of the distinct n-grams that share their row with another one; of look-ups: the same weighted by traffic. "
                        + $"Deviations: by how many standard deviations n-grams are spread less evenly than by a hash that draws rows at random. {Html.Escape(Equal(layer))}</p>\n"
                )
                .Append(
                    TrafficChart(traffic)
                        .Figure(
                            "How often the rows were read, from the most read one on. A steep line means that few rows have most of the traffic."
                        )
                )
                .Append(
                    CacheChart(traffic, layer.Rows)
                        .Figure(
                            "The share of reads that a cache of so many rows answers: filled with the most read rows, or with those read last."
                        )
                )
                .Append(
                    CollisionChart(layer)
                        .Figure(
                            "The share of the distinct n-grams that share their row with another one, for each head; dashed, what a hash that draws rows at random would have."
                        )
                );
        }
        return Html.Page(title, page.ToString());
    }

    private static string Ngrams(AddressingStatistics statistics) =>
        string.Join(
            " ",
            statistics.Orders.Select(order =>
                $"Order {order.Order}: {order.DistinctNgrams:N0} distinct n-grams, {(double)order.NgramsSeenOnce / order.DistinctNgrams:P1} of them seen once."
            )
        );

    private static string Equal(LayerStatistics layer) =>
        string.Join(
            " ",
            layer.Orders.Select(order => $"Order {order.Order}: {order.EqualInAllHeads:N0} n-grams share all their rows with one other.")
        );

    /// <summary>What a table says of a head, below <see cref="HeadColumns"/>.</summary>
    public static IReadOnlyList<string> HeadCells(HeadStatistics head) =>
        [
            $"{head.Order}, {head.Head}",
            $"{head.Rows:N0}",
            $"{head.RowsTouched:N0}",
            $"{head.ExpectedRowsTouched:N0}",
            $"{head.DeviationFromUniform:+0.0;−0.0;0.0}",
            $"{head.NgramsPerTouchedRow:F2}",
            $"{head.CollisionRate:P2}",
            $"{head.ExpectedCollisionRate:P2}",
            $"{head.LookupCollisionRate:P2}",
        ];

    private static LineChart TrafficChart(RowTraffic traffic)
    {
        var ranks = RowTraffic.LogSpaced(traffic.RowsTouched, PointsPerDecade);
        var lines = new List<ChartLine>
        {
            new("reads", Colors[0], Positions(ranks), [.. ranks.Select(rank => (double)traffic.ReadsAtRank(rank))]),
        };
        if (traffic.ZipfExponent is { } exponent)
        {
            // The line goes through the measured value at rank 10, where single frequent n-grams no longer decide.
            var middle = Math.Min(10, traffic.RowsTouched);
            var fitted = ranks.Where(rank => traffic.ReadsAtRank(middle) * Math.Pow((double)rank / middle, -exponent) >= 1).ToList();
            lines.Add(
                new(
                    $"rank^−{exponent:F2}",
                    Colors[1],
                    Positions(fitted),
                    [.. fitted.Select(rank => traffic.ReadsAtRank(middle) * Math.Pow((double)rank / middle, -exponent))]
                )
            );
        }
        return new LineChart("Traffic by rank", "rank of the row", "reads", lines) { LogX = true, LogY = true };
    }

    private static LineChart CacheChart(RowTraffic traffic, long rows)
    {
        var sizes = RowTraffic.LogSpaced(Math.Min(rows, traffic.RowsTouched), PointsPerDecade);
        return new LineChart(
            "Hit rate of a row cache",
            "rows in the cache",
            "hit rate",
            [
                new("best fixed choice", Colors[0], Positions(sizes), [.. sizes.Select(traffic.TopShare)]),
                new("least recently used (Che)", Colors[1], Positions(sizes), [.. sizes.Select(traffic.LruHitRate)]),
            ]
        )
        {
            LogX = true,
            Values = (0, 1.02),
        };
    }

    private static LineChart CollisionChart(LayerStatistics layer)
    {
        // Orders stand side by side: equal rates would hide each other.
        var orders = layer.Heads.Select(head => head.Order).Distinct().Count();
        var lines = layer
            .Heads.GroupBy(head => head.Order)
            .SelectMany(
                (heads, i) =>
                    (ChartLine[])
                        [
                            new(
                                $"order {heads.Key}",
                                Colors[i % Colors.Length],
                                [.. heads.Select(head => head.Head + (0.12 * (i - ((orders - 1) / 2.0))))],
                                [.. heads.Select(head => head.CollisionRate)],
                                Connected: false
                            ),
                            new(
                                $"order {heads.Key}, random hash",
                                Colors[i % Colors.Length],
                                [.. heads.Select(head => (double)head.Head)],
                                [.. heads.Select(head => head.ExpectedCollisionRate)],
                                Dashed: true
                            ),
                        ]
            )
            .ToList();
        return new LineChart("Distinct n-grams that share their row", "head", "collision rate", lines)
        {
            Values = (0, Math.Max(0.01, lines.Max(line => line.Y.Max()) * 1.1)),
            Categories = [.. layer.Heads.Select(head => head.Head).Distinct().Select(head => $"{head}")],
            Legend = true,
        };
    }

    private static double[] Positions(IReadOnlyList<long> values) => [.. values.Select(value => (double)value)];
}

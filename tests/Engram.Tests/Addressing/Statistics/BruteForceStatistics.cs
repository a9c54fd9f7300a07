using Engram.Addressing;
using Engram.Addressing.Statistics;

namespace Engram.Tests.Addressing.Statistics;

/// <summary>The definitions word by word: dictionaries of n-grams written out as text and of the rows that the addresser gives.</summary>
internal static class BruteForceStatistics
{
    public static AddressingStatistics Of(AddressingConstants constants, int[] ids, bool[] starts)
    {
        var spec = constants.Spec;
        var live = Enumerable.Range(0, ids.Length).Where(t => ids[t] >= 0).ToArray();
        var ngrams = Enumerable
            .Range(2, spec.MaxOrder - 1)
            .Select(order => live.ToDictionary(t => t, t => Ngram(spec, ids, starts, t, order)))
            .ToArray();
        return new AddressingStatistics(
            live.Length,
            [
                .. ngrams.Select(
                    (byPosition, i) =>
                        new OrderStatistics(
                            i + 2,
                            byPosition.Values.Distinct().Count(),
                            byPosition.Values.GroupBy(ngram => ngram).Count(group => group.Count() == 1),
                            live.Length
                        )
                ),
            ],
            [.. constants.Layers.Select((layer, position) => Layer(constants, layer, position, ids, starts, live, ngrams))]
        );
    }

    private static LayerStatistics Layer(
        AddressingConstants constants,
        LayerConstants layer,
        int position,
        int[] ids,
        bool[] starts,
        int[] live,
        Dictionary<int, string>[] ngrams
    )
    {
        var spec = constants.Spec;
        var rows = new long[ids.Length * spec.Columns];
        new NgramAddresser(constants).Address(ids, starts, position, rows);
        var heads = new List<HeadStatistics>();
        var orders = new List<OrderCollisions>();
        for (var order = 2; order <= spec.MaxOrder; order++)
        {
            var ngramAt = ngrams[order - 2];
            for (var head = 0; head < spec.HeadsPerOrder; head++)
            {
                var column = (order - 2) * spec.HeadsPerOrder + head;
                var readers = live.GroupBy(t => rows[t * spec.Columns + column])
                    .Select(group => (Ngrams: group.Select(t => ngramAt[t]).Distinct().Count(), Reads: group.Count()))
                    .ToList();
                heads.Add(
                    new HeadStatistics(
                        order,
                        head,
                        layer.Primes[order - 2][head],
                        readers.Count,
                        ngramAt.Values.Distinct().Count(),
                        readers.Sum(row => (long)row.Ngrams * row.Ngrams),
                        readers.Where(row => row.Ngrams > 1).Sum(row => row.Ngrams),
                        readers.Where(row => row.Ngrams > 1).Sum(row => row.Reads),
                        live.Length
                    )
                );
            }
            var addresses = live.DistinctBy(t => ngramAt[t])
                .GroupBy(t => string.Join(' ', rows.Skip(t * spec.Columns + (order - 2) * spec.HeadsPerOrder).Take(spec.HeadsPerOrder)));
            orders.Add(
                new OrderCollisions(
                    order,
                    ngramAt.Values.Distinct().Count(),
                    addresses.Where(group => group.Count() > 1).Sum(group => group.Count())
                )
            );
        }
        var readsOfRows = live.SelectMany(t => rows[(t * spec.Columns)..((t + 1) * spec.Columns)])
            .GroupBy(row => row)
            .Select(group => (long)group.Count());
        return new LayerStatistics(
            layer.Layer,
            layer.TotalRows,
            heads,
            orders,
            new RowTraffic(readsOfRows.GroupBy(reads => reads).ToDictionary(group => group.Key, group => (long)group.Count()))
        );
    }

    private static string Ngram(AddressingSpec spec, int[] ids, bool[] starts, int t, int order)
    {
        var text = $"{ids[t]}";
        var ended = false;
        for (var back = 1; back < order; back++)
        {
            ended = ended || starts[t - back + 1] || t - back < 0 || ids[t - back] < 0;
            text += $" {(ended ? spec.PadId : ids[t - back])}";
            if (ended)
                text += string.Concat(Enumerable.Repeat($" {spec.PadId}", order - 1 - back));
            if (ended)
                break;
        }
        return text;
    }
}

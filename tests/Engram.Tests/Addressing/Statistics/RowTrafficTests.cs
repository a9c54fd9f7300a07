using CsCheck;
using Engram.Addressing.Statistics;

namespace Engram.Tests.Addressing.Statistics;

public sealed class RowTrafficTests
{
    /// <summary>One row of 5 reads, two of 3, four of 1: 15 look-ups of 7 rows.</summary>
    private static readonly RowTraffic Small = new(
        new Dictionary<long, long>
        {
            [3] = 2,
            [1] = 4,
            [5] = 1,
        }
    );

    [Fact]
    public void SharesByHand()
    {
        Assert.Equal((15, 7), (Small.Lookups, Small.RowsTouched));
        Assert.Equal([5, 3, 3, 1, 1, 1, 1, 0], Enumerable.Range(1, 8).Select(rank => Small.ReadsAtRank(rank)));
        double[] shares = [0, 5, 8, 11, 12, 13, 14, 15, 15];
        for (var rows = 0; rows < shares.Length; rows++)
            Assert.Equal(shares[rows] / 15, Small.TopShare(rows), 15);
        Assert.Equal(7.0 / 15, Small.FirstReadShare, 15);
        Assert.Null(Small.ZipfExponent);
    }

    private static readonly Gen<RowTraffic> Traffics = Gen.Dictionary(Gen.Long[1, 10_000], Gen.Long[1, 500])[1, 40]
        .Select(rows => new RowTraffic(rows));

    [Fact]
    public void HitRates_GrowWithTheCache_AndTheFixedChoiceIsTheUpperBound() =>
        Traffics.Sample(traffic =>
        {
            var last = (Top: 0.0, Lru: 0.0);
            foreach (var rows in RowTraffic.LogSpaced(traffic.RowsTouched, 3))
            {
                var next = (Top: traffic.TopShare(rows), Lru: traffic.LruHitRate(rows));
                Assert.True(next.Top >= last.Top && next.Lru >= last.Lru - 1e-12, $"{rows} rows");
                Assert.InRange(next.Lru, 0, next.Top + 1e-9);
                last = next;
            }
            Assert.Equal((1, 1), last);
        });

    /// <summary>
    /// Che's approximation against a cache that is simulated with independent draws from the same frequencies; at 400,000 draws the
    /// sampling error is below 0.002.
    /// </summary>
    [Theory]
    [InlineData(20)]
    [InlineData(200)]
    [InlineData(1000)]
    public void LruHitRate_IsThatOfASimulatedCache(int capacity)
    {
        const int rows = 2000;
        int[] reads = [.. Enumerable.Range(1, rows).Select(rank => 20_000 / rank)];
        var traffic = new RowTraffic(reads.GroupBy(r => (long)r).ToDictionary(group => group.Key, group => (long)group.Count()));
        int[] urn = [.. Enumerable.Range(0, rows).SelectMany(row => Enumerable.Repeat(row, reads[row]))];
        var random = new Random(11);
        var cache = new LinkedList<int>();
        var nodes = new LinkedListNode<int>?[rows];
        var hits = 0;
        const int warm = 50_000,
            draws = 400_000;
        for (var i = 0; i < warm + draws; i++)
        {
            var row = urn[random.Next(urn.Length)];
            if (nodes[row] is { } node)
            {
                if (i >= warm)
                    hits++;
                cache.Remove(node);
                cache.AddFirst(node);
                continue;
            }
            if (cache.Count == capacity)
            {
                nodes[cache.Last!.Value] = null;
                cache.RemoveLast();
            }
            nodes[row] = cache.AddFirst(row);
        }
        Assert.Equal((double)hits / draws, traffic.LruHitRate(capacity), 0.005);
    }

    [Theory]
    [InlineData(0.7)]
    [InlineData(1.2)]
    public void ZipfExponent_IsThatOfAZipfLaw(double exponent)
    {
        var reads = Enumerable.Range(1, 20_000).Select(rank => (long)Math.Round(1e7 * Math.Pow(rank, -exponent)));
        var traffic = new RowTraffic(reads.GroupBy(r => r).ToDictionary(group => group.Key, group => (long)group.Count()));
        Assert.Equal(exponent, traffic.ZipfExponent!.Value, 0.01);
    }

    [Fact]
    public void LogSpaced_AscendsOnce_FromOneToTheLast()
    {
        Assert.Equal([1, 10, 100, 1000, 2500], RowTraffic.LogSpaced(2500, 1));
        Assert.Equal([1], RowTraffic.LogSpaced(1, 5));
        Gen.Select(Gen.Long[1, 1_000_000_000], Gen.Double[0.5, 20])
            .Sample(
                (last, perDecade) =>
                {
                    var numbers = RowTraffic.LogSpaced(last, perDecade);
                    return numbers[^1] == last && numbers[0] == 1 && numbers.Zip(numbers.Skip(1)).All(pair => pair.First < pair.Second);
                }
            );
    }
}

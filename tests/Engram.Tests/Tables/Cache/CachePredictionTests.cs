using Engram.Tables;
using Engram.Tables.Cache;

namespace Engram.Tests.Tables.Cache;

public class CachePredictionTests
{
    private const int Distinct = 20_000;
    private static readonly long[] Stream = Zipf.Rows(3, Distinct, 200_000);
    private static readonly long[] Capacities = [5000, 20, 1000, 40_000, 200, 1];

    [Fact]
    public void Small_caches_are_predicted_exactly()
    {
        using var prediction = new CachePrediction(Capacities);
        foreach (var part in Stream.Chunk(777))
            prediction.Add(part);
        Assert.Equal(Stream.Length, prediction.Lookups);
        Assert.Equal(
            Capacities.Select(capacity => 1 - (double)Misses(capacity) / Stream.Length),
            prediction.HitRates.ToArray(),
            (a, b) => Math.Abs(a - b) < 1e-12
        );
    }

    /// <summary>
    /// With far less room than the caches have, the prediction stays close: 2 % of the look-ups are several standard deviations of a sample
    /// of this size.
    /// </summary>
    [Fact]
    public void Large_caches_are_predicted_in_miniature()
    {
        using var prediction = new CachePrediction(Capacities, simulatedRows: 500);
        prediction.Add(Stream);
        for (var i = 0; i < Capacities.Length; i++)
            Assert.Equal(1 - (double)Misses(Capacities[i]) / Stream.Length, prediction.HitRates[i], 0.02);
    }

    /// <summary>A table read one token after the other through the cache itself.</summary>
    [Fact]
    public void The_cache_does_what_is_predicted()
    {
        using var cache = new CachedRowStore(new EngramTable(Distinct, 4), 700);
        using var prediction = new CachePrediction([700]);
        var values = new float[16 * 4];
        foreach (var rows in Stream.Chunk(16).Where(rows => rows.Length == 16))
        {
            cache.Gather(rows, values);
            prediction.Add(rows);
        }
        Assert.Equal(prediction.HitRates[0], cache.Counts.HitRate, 0.003);
    }

    [Fact]
    public void Dead_positions_are_no_lookups()
    {
        using var prediction = new CachePrediction([10]);
        Assert.Equal(0, prediction.HitRates[0]);
        prediction.Add([-1, 5, -1, 5]);
        Assert.Equal(2, prediction.Lookups);
        Assert.Equal(0.5, prediction.HitRates[0]);
    }

    [Fact]
    public void Impossible_sizes_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new CachePrediction([5, 0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CachePrediction([5], simulatedRows: 0));
    }

    private static int Misses(long capacity)
    {
        using var policy = new S3Fifo((int)capacity);
        var misses = 0;
        foreach (var row in Stream)
            if (policy.Hit(row) < 0)
            {
                policy.Insert(row);
                misses++;
            }
        return misses;
    }
}

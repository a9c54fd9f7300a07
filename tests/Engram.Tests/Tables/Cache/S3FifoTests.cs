using CsCheck;
using Engram.Tables.Cache;

namespace Engram.Tests.Tables.Cache;

public class S3FifoTests
{
    /// <summary>
    /// Whatever is asked, a row that is found is found in the slot it was given and that nobody was given since; as many rows are kept as
    /// fit.
    /// </summary>
    [Fact]
    public void Slots_belong_to_one_row_each()
    {
        var rows = Gen.OneOf(Gen.Long[0, 20], Gen.Long[0, 500], Gen.Long[0, 1L << 60], Gen.Int[0, 50].Select(i => (long)i << 40));
        Gen.Select(Gen.Int[1, 70], rows.Array[0, 800])
            .Sample(
                (capacity, stream) =>
                {
                    using var policy = new S3Fifo(capacity);
                    var kept = new Dictionary<int, long>();
                    foreach (var row in stream)
                    {
                        var known = kept.Where(pair => pair.Value == row).Select(pair => pair.Key).SingleOrDefault(-1);
                        Assert.Equal(known >= 0, policy.Contains(row));
                        Assert.Equal(known, policy.Hit(row));
                        if (known >= 0)
                            continue;
                        var (count, evictions) = (policy.Count, policy.Evictions);
                        var slot = policy.Insert(row);
                        Assert.InRange(slot, 0, capacity - 1);
                        Assert.Equal(count == capacity ? evictions + 1 : evictions, policy.Evictions);
                        Assert.Equal(count == capacity, kept.ContainsKey(slot));
                        kept[slot] = row;
                        Assert.Equal(kept.Count, policy.Count);
                    }
                    foreach (var (slot, row) in kept)
                        Assert.Equal(slot, policy.Hit(row));
                }
            );
    }

    [Fact]
    public void Rows_read_once_do_not_drive_out_those_read_often()
    {
        using var policy = new S3Fifo(100);
        for (var round = 0; round < 3; round++)
        for (var row = 0L; row < 80; row++)
            Read(policy, row);
        for (var row = 1000L; row < 100_000; row++)
            Read(policy, row);
        for (var row = 0L; row < 80; row++)
            Assert.True(policy.Contains(row), $"row {row}");
    }

    [Fact]
    public void A_row_that_comes_back_soon_after_it_left_is_kept_longer_than_a_new_one()
    {
        using var policy = new S3Fifo(100);
        for (var row = 0L; row < 150; row++)
            Read(policy, row);
        Assert.False(policy.Contains(49));
        Read(policy, 49);
        Read(policy, 5000);
        for (var row = 200L; row < 400; row++)
            Read(policy, row);
        Assert.True(policy.Contains(49));
        Assert.False(policy.Contains(5000));
    }

    /// <summary>The policy as it is published, in lists and dictionaries: the same hits in the same places.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(333)]
    [InlineData(2000)]
    public void Hits_are_those_of_a_plain_statement_of_the_policy(int capacity)
    {
        using var policy = new S3Fifo(capacity);
        var (small, main) = (new Queue<long>(), new Queue<long>());
        var reads = new Dictionary<long, int>();
        var departed = new Dictionary<long, int>();
        var smallCapacity = Math.Max(1, capacity / 10);
        var departures = 0;
        var (hits, different, memory) = (0, 0, Math.Max(1, capacity - smallCapacity));
        foreach (var row in Zipf.Rows(1, 5000, 50_000))
        {
            var hit = reads.TryGetValue(row, out var count);
            hits += hit ? 1 : 0;
            different += hit == Read(policy, row) ? 0 : 1;
            if (hit)
            {
                reads[row] = Math.Min(15, count + 1);
                continue;
            }
            if (small.Count + main.Count == capacity)
                Evict();
            reads[row] = 0;
            (departed.Remove(row, out var when) && departures - when <= memory ? main : small).Enqueue(row);
        }
        Assert.InRange(hits, 1000, 45_000);
        // The fingerprints' buckets overflow now and then, and forget a row too early.
        Assert.InRange(different, 0, hits / 100);

        void Evict()
        {
            while (true)
                if (small.Count >= smallCapacity || main.Count == 0)
                {
                    var row = small.Dequeue();
                    if (reads[row] >= 2)
                    {
                        reads[row] = 0;
                        main.Enqueue(row);
                        continue;
                    }
                    reads.Remove(row);
                    departed[row] = departures++;
                    return;
                }
                else
                {
                    var row = main.Dequeue();
                    if (reads[row]-- > 0)
                    {
                        main.Enqueue(row);
                        continue;
                    }
                    reads.Remove(row);
                    return;
                }
        }
    }

    [Fact]
    public void A_cache_without_room_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new S3Fifo(0));

    private static bool Read(S3Fifo policy, long row)
    {
        if (policy.Hit(row) >= 0)
            return true;
        policy.Insert(row);
        return false;
    }
}

using CsCheck;
using Engram.Tables;
using Engram.Tables.Cache;
using Engram.Tables.Formats;

namespace Engram.Tests.Tables.Cache;

public class CachedRowStoreTests
{
    private const int TableRows = 200;

    public static TheoryData<string, int> Formats =>
        new()
        {
            { "float32", 16 },
            { "bfloat16", 7 },
            { "fp8", 64 },
            { "int8", 20 },
            { "int4/row", 6 },
        };

    /// <summary>Any sequence of look-ups gives what the table gives, whatever the capacity.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void Rows_are_the_slower_stores_bit_for_bit(string format, int width)
    {
        var rows = Gen.OneOf(Gen.Long[-1, 8], Gen.Long[-1, TableRows - 1]).Array[0, 60];
        Gen.Select(
                Gen.OneOf(Gen.Const(1), Gen.Const(2), Gen.Const(7), Gen.Const(50), Gen.Const(TableRows), Gen.Const(1000)),
                rows.Array[1, 20],
                Gen.Bool
            )
            .Sample(
                (capacity, batches, stored) =>
                {
                    var table = Table(format, width);
                    using var cache = new CachedRowStore(table, capacity);
                    Assert.Equal(Math.Min(capacity, TableRows), cache.Capacity);
                    foreach (var batch in batches)
                    {
                        var (expected, actual) = (new float[batch.Length * width], new float[batch.Length * width]);
                        Array.Fill(actual, float.NaN);
                        table.Gather(batch, expected);
                        cache.Gather(batch, actual);
                        Assert.Equal(Bits(expected), Bits(actual));
                        if (!stored)
                            continue;
                        long[] alive = [.. batch.Where(row => row >= 0)];
                        Assert.Equal(Stored(table, alive), Stored(cache, alive));
                    }
                },
                iter: 100
            );
    }

    /// <summary>A batch of the widest rows is served in many parts.</summary>
    [Fact]
    public void Wide_rows_are_served_in_parts()
    {
        const int width = RowFormat.MaxWidth;
        var table = new EngramTable(700, width);
        for (var row = 0; row < table.Rows; row++)
            table.Row(row).Fill(row + 1);
        using var cache = new CachedRowStore(table, 3);
        long[] batch = [.. Enumerable.Range(0, 600).Select(i => (long)(i * 7 % 700))];
        var gathered = new float[batch.Length * width];
        cache.Gather(batch, gathered);
        for (var i = 0; i < batch.Length; i++)
            Assert.False(gathered.AsSpan(i * width, width).ContainsAnyExcept(batch[i] + 1f));
    }

    /// <summary>
    /// Counts against a model: a row is missed when the policy does not keep it, once in a batch; every look-up is counted.
    /// </summary>
    [Fact]
    public void Counts_say_what_the_slower_store_was_asked_for()
    {
        Gen.Select(Gen.Int[1, 40], Gen.Long[-1, 60].Array[0, 30].Array[1, 30])
            .Sample(
                (capacity, batches) =>
                {
                    using var cache = new CachedRowStore(Table("float32", 4), capacity);
                    using var policy = new S3Fifo(capacity);
                    var (lookups, misses) = (0L, 0L);
                    foreach (var batch in batches)
                    {
                        cache.Gather(batch, new float[batch.Length * 4]);
                        long[] missed = [.. batch.Where(row => row >= 0 && policy.Hit(row) < 0)];
                        foreach (var row in missed)
                            if (policy.Hit(row) < 0)
                                policy.Insert(row);
                        lookups += batch.Count(row => row >= 0);
                        misses += missed.Distinct().Count();
                        Assert.Equal(new CacheCounts(lookups, misses, policy.Evictions), cache.Counts);
                    }
                    Assert.Equal(lookups - misses, cache.Counts.Hits);
                },
                iter: 300
            );
    }

    [Fact]
    public void Batches_longer_than_a_part_and_several_threads_give_the_same()
    {
        const int rows = 300_000;
        using var table = new EngramTable(rows, 4);
        table.FillNormal(1, 1);
        using var cache = new CachedRowStore(table, 1000);
        var random = new Random(1);
        long[] batch = [.. Enumerable.Range(0, 150_000).Select(_ => (long)random.Next(-1, rows))];
        var expected = new float[batch.Length * 4];
        table.Gather(batch, expected);
        foreach (var threads in new[] { 1, 2, 5 })
        {
            var actual = new float[batch.Length * 4];
            cache.Gather(batch, actual, threads);
            Assert.Equal(Bits(expected), Bits(actual));
        }
    }

    [Fact]
    public async Task Threads_that_share_a_small_cache_all_get_their_rows()
    {
        using var table = Table("fp8", 64);
        using var cache = new CachedRowStore(table, 30);
        var all = new float[TableRows * 64];
        table.Gather([.. Enumerable.Range(0, TableRows).Select(row => (long)row)], all);
        var total = 0L;
        await Task.WhenAll(
            Enumerable
                .Range(0, 4)
                .Select(thread =>
                    Task.Run(() =>
                    {
                        var random = new Random(thread);
                        for (var i = 0; i < 1500; i++)
                        {
                            long[] rows =
                            [
                                .. Enumerable
                                    .Range(0, random.Next(1, 50))
                                    .Select(_ => (long)(random.NextDouble() * random.NextDouble() * TableRows)),
                            ];
                            var values = new float[rows.Length * 64];
                            cache.Gather(rows, values);
                            for (var k = 0; k < rows.Length; k++)
                                if (!values.AsSpan(k * 64, 64).SequenceEqual(all.AsSpan((int)rows[k] * 64, 64)))
                                    Assert.Fail($"row {rows[k]}");
                            Interlocked.Add(ref total, rows.Length);
                        }
                    })
                )
        );
        Assert.Equal(total, cache.Counts.Lookups);
        Assert.InRange(cache.Counts.Misses, TableRows, total);
    }

    [Fact]
    public void Hits_do_not_wait_for_a_slow_store()
    {
        var slow = new GatedStore(Table("float32", 4));
        using var cache = new CachedRowStore(slow, 50);
        cache.Gather([1, 2, 3], new float[12]);
        slow.Arrived.Wait(Token);
        slow.Gate.Reset();
        var missing = new float[4];
        var reader = new Thread(() => cache.Gather([9], missing));
        reader.Start();
        slow.Arrived.Wait(Token); // the other thread waits for the device
        var values = new float[12];
        cache.Gather([3, 1, 2], values);
        slow.Gate.Set();
        reader.Join();
        var expected = new float[16];
        slow.Gather([3, 1, 2, 9], expected);
        Assert.Equal(expected, values.Concat(missing).ToArray());
    }

    [Fact]
    public void Missing_rows_are_asked_for_once_and_together()
    {
        var slow = new GatedStore(Table("float32", 4));
        using var cache = new CachedRowStore(slow, 50);
        cache.Gather([5, 6, 5, -1, 7, 6], new float[24]);
        Assert.Equal(1, slow.Gathers);
        Assert.Equal(3, cache.Counts.Misses);
        Assert.Equal(5, cache.Counts.Lookups);
        cache.Gather([7, 6, 5, -1], new float[16]);
        Assert.Equal(1, slow.Gathers);
    }

    [Fact]
    public void Only_rows_that_are_not_kept_are_announced()
    {
        var slow = new GatedStore(Table("float32", 4)) { KeepPrefetched = true };
        using var cache = new CachedRowStore(slow, 50);
        cache.Gather([5, 6], new float[8]);
        cache.Prefetch([6, 7, -1, 5, 8]);
        Assert.Equal([7, 8], Assert.Single(slow.Prefetched));
        cache.Prefetch([5]);
        Assert.Single(slow.Prefetched);
    }

    [Fact]
    public void A_store_that_fails_fails_the_lookup_and_spoils_nothing()
    {
        var slow = new GatedStore(Table("float32", 4));
        using var cache = new CachedRowStore(slow, 50);
        slow.Failure = new IOException("The device is gone.");
        Assert.Throws<IOException>(() => cache.Gather([1, 2], new float[8]));
        Assert.Equal(0, cache.Counts.Lookups);
        slow.Failure = null;
        var (expected, actual) = (new float[8], new float[8]);
        cache.Gather([1, 2], actual);
        slow.Gather([1, 2], expected);
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Wrong_requests_are_refused_and_touch_nothing()
    {
        using var cache = new CachedRowStore(Table("fp8", 64), 10);
        float[] values = [.. Enumerable.Repeat(7f, 128)];
        Assert.Contains("Row 200 at position 1", Assert.Throws<ArgumentOutOfRangeException>(() => cache.Gather([1, 200], values)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Gather([-2, 1], values));
        Assert.Throws<ArgumentException>(() => cache.Gather([1], values));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Gather([1, 2], values, threads: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.GatherStored([-1], new byte[64], new byte[2]));
        Assert.Throws<ArgumentException>(() => cache.GatherStored([1], new byte[64], new byte[3]));
        Assert.All(values, value => Assert.Equal(7, value));
        Assert.Equal(default, cache.Counts);
        Assert.Throws<ArgumentOutOfRangeException>(() => new CachedRowStore(Table("fp8", 64), 0));
    }

    [Fact]
    public void A_disposed_cache_has_disposed_its_store()
    {
        var table = Table("float32", 4);
        var cache = new CachedRowStore(table, 10);
        cache.Dispose();
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cache.Gather([1], new float[4]));
        Assert.Throws<ObjectDisposedException>(() => cache.Prefetch([1]));
        Assert.Throws<ObjectDisposedException>(() => table.Gather([1], new float[4]));
    }

    [Fact]
    public void Rows_within_an_amount_of_memory_are_more_the_shorter_they_are_stored()
    {
        Assert.Equal(0, CachedRowStore.RowsWithin(100, RowFormat.Float32, 64));
        var (single, eighth) = (
            CachedRowStore.RowsWithin(1 << 30, RowFormat.Float32, 256),
            CachedRowStore.RowsWithin(1 << 30, RowFormat.Float8(), 256)
        );
        Assert.InRange((1 << 30) / (double)single, 1024 + 40, 1024 + 60);
        Assert.InRange(eighth / (double)single, 3.2, 3.9);
    }

    [Fact]
    public void Lookups_no_longer_than_those_before_allocate_nothing()
    {
        using var cache = new CachedRowStore(Table("int8", 16), 20);
        var rows = Zipf.Rows(5, TableRows, 3000);
        var values = new float[64 * 16];
        Pass();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Pass();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(cache.Counts is { Hits: > 1000, Evictions: > 100 });

        void Pass()
        {
            for (var i = 0; i + 64 <= rows.Length; i += 64)
            {
                cache.Prefetch(rows.AsSpan(i, 64));
                cache.Gather(rows.AsSpan(i, 64), values);
            }
        }
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static EngramTable Table(string format, int width)
    {
        var table = new EngramTable(TableRows, width, RowFormat.Parse(format));
        var random = new Random(4);
        table.Write(0, [.. Enumerable.Range(0, TableRows * width).Select(_ => (float)(random.NextDouble() - 0.5))]);
        return table;
    }

    private static byte[] Stored(IRowStore store, long[] rows)
    {
        var (values, scales) = (
            new byte[rows.Length * store.Format.ValueBytes(store.Width)],
            new byte[rows.Length * store.Format.ScaleBytes(store.Width)]
        );
        store.GatherStored(rows, values, scales);
        return [.. values, .. scales];
    }

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);
}

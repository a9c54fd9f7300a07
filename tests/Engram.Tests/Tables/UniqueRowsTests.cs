using CsCheck;
using Engram.Tables;

namespace Engram.Tests.Tables;

public class UniqueRowsTests
{
    /// <summary>One instance over many batches, against a dictionary.</summary>
    [Fact]
    public void Distinct_rows_in_order_of_appearance_and_the_way_back()
    {
        var unique = new UniqueRows();
        var addresses = Gen.OneOf(Gen.Long[-1, 5], Gen.Long[-1, 300], Gen.Long[0, 1L << 40], Gen.Long);
        addresses
            .Array[0, 400]
            .Sample(rows =>
            {
                lock (unique)
                {
                    unique.Build(rows);
                    Assert.Equal(rows.Distinct(), unique.Rows.ToArray());
                    Assert.Equal(unique.Rows.Length, unique.Count);
                    var back = unique.Rows.ToArray();
                    Assert.Equal(rows, unique.Inverse.ToArray().Select(index => back[index]));
                }
            });
    }

    [Fact]
    public void Rows_that_want_the_same_slot_are_told_apart()
    {
        // Multiples of 2^63 and of 2^40 share the upper bits of their products, so they crowd around few slots.
        long[] rows = [.. Enumerable.Range(0, 200).Select(i => (long)i << 40), long.MinValue, 0, -1, long.MaxValue];
        var unique = new UniqueRows();
        unique.Build(rows);
        Assert.Equal(rows.Distinct(), unique.Rows.ToArray());
    }

    [Fact]
    public void An_earlier_batch_leaves_no_trace()
    {
        var unique = new UniqueRows();
        unique.Build([5, 6, 7, 5]);
        unique.Build([7, 8]);
        Assert.Equal([7, 8], unique.Rows.ToArray());
        Assert.Equal([0, 1], unique.Inverse.ToArray());
        unique.Build([]);
        Assert.Equal(0, unique.Count);
        Assert.True(unique.Inverse.IsEmpty);
    }

    [Fact]
    public void Batches_no_longer_than_the_first_allocate_nothing()
    {
        var rows = Enumerable.Range(0, 5000).Select(i => (long)(i * 7919 % 1013)).ToArray();
        var unique = new UniqueRows();
        unique.Build(rows);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++)
            unique.Build(rows.AsSpan(i));
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1013, unique.Count);
    }

    /// <summary>What the two together are for: each row gathered once and spread by the inverse equals the direct gather.</summary>
    [Fact]
    public void Gathering_distinct_rows_and_spreading_them_equals_gathering_all()
    {
        using var table = new EngramTable(50, 8);
        table.FillNormal(1, 1);
        var random = new Random(2);
        var rows = Enumerable.Range(0, 300).Select(_ => (long)random.Next(-1, 50)).ToArray();
        var unique = new UniqueRows();
        unique.Build(rows);
        var (all, once) = (new float[300 * 8], new float[unique.Count * 8]);
        table.Gather(rows, all);
        table.Gather(unique.Rows, once);
        for (var i = 0; i < rows.Length; i++)
            Assert.Equal(all.AsSpan(i * 8, 8).ToArray(), once.AsSpan(unique.Inverse[i] * 8, 8).ToArray());
    }
}

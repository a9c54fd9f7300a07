using System.Runtime.InteropServices;
using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Tests.Tables;

public sealed class RandomRowsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(64)]
    public void Rows_keep_their_norm_and_lose_their_direction(int width)
    {
        using var table = Filled(300, width);
        using var random = new RandomRows(table, 5);
        Assert.Equal((300, width, RowFormat.Float32), (random.Rows, random.Width, random.Format));
        var (own, drawn) = (Gather(table, All), Gather(random, All));
        var cosines = new List<double>();
        foreach (var row in All)
        {
            var a = own.AsSpan((int)row * width, width);
            var b = drawn.AsSpan((int)row * width, width);
            var (dot, aa, bb) = (0.0, 0.0, 0.0);
            for (var i = 0; i < width; i++)
                (dot, aa, bb) = (dot + (double)a[i] * b[i], aa + (double)a[i] * a[i], bb + (double)b[i] * b[i]);
            Assert.Equal(Math.Sqrt(aa), Math.Sqrt(bb), 1e-6 * Math.Sqrt(aa));
            cosines.Add(dot / Math.Sqrt(aa * bb));
        }
        // The cosine of independent directions has mean 0 and mean square 1/w; four standard deviations of 300 rows.
        Assert.InRange(cosines.Average(), -4 / Math.Sqrt(300.0 * width), 4 / Math.Sqrt(300.0 * width));
        Assert.InRange(cosines.Average(c => c * c) * width, 1 - 4 * Math.Sqrt(2 / 300.0), 1 + 4 * Math.Sqrt(2 / 300.0));
    }

    [Fact]
    public void Rows_are_a_function_of_seed_and_number()
    {
        using var table = Filled(300, 5);
        using var random = new RandomRows(table, 5);
        using var again = new RandomRows(table, 5);
        using var other = new RandomRows(table, 6);
        var all = Gather(random, All);
        Assert.Equal(all, Gather(again, All));
        Assert.NotEqual(all, Gather(other, All));
        long[] some = [299, 7, 7, -1, 0];
        var expected = some.SelectMany(row => row < 0 ? new float[5] : all[(int)(row * 5)..(int)(row * 5 + 5)]).ToArray();
        random.Prefetch(some);
        Assert.Equal(expected, Gather(random, some));
        var stored = new byte[2 * 5 * sizeof(float)];
        random.GatherStored([299, 7], stored, []);
        Assert.Equal(expected[..10], MemoryMarshal.Cast<byte, float>(stored).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => random.GatherStored([299, -1], stored, []));
        Assert.Throws<ArgumentException>(() => random.GatherStored([299], stored, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Gather(random, [300]));
    }

    [Fact]
    public void Rows_of_zeros_stay_and_the_source_outlives_the_control()
    {
        using var table = new EngramTable(300, 3);
        new RandomRows(table, 1).Dispose();
        using var random = new RandomRows(table, 1);
        Assert.All(Gather(random, All), value => Assert.Equal(0, value));
    }

    private static long[] All => [.. Enumerable.Range(0, 300).Select(row => (long)row)];

    private static EngramTable Filled(long rows, int width)
    {
        var table = new EngramTable(rows, width);
        table.FillNormal(3, 0.7f);
        return table;
    }

    private static float[] Gather(IRowStore store, long[] rows)
    {
        var values = new float[rows.Length * store.Width];
        store.Gather(rows, values, threads: 2);
        return values;
    }
}

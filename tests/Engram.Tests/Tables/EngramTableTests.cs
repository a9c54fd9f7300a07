using CsCheck;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;

namespace Engram.Tests.Tables;

public sealed class EngramTableTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("table.safetensors");

    public void Dispose() => _folder.Dispose();

    /// <summary>Value = 100·row + column.</summary>
    private static EngramTable Numbered(long rows, int width)
    {
        var table = new EngramTable(rows, width);
        for (var row = 0L; row < rows; row++)
        for (var column = 0; column < width; column++)
            table.Row(row)[column] = 100 * row + column;
        return table;
    }

    private static float[] Values(EngramTable table) =>
        [.. Enumerable.Range(0, (int)table.Rows).SelectMany(row => table.Row(row).ToArray())];

    [Fact]
    public void Gathered_rows_are_the_rows_and_minus_one_is_zero() =>
        Gen.Select(Gen.Int[1, 30], Gen.Int[1, 40])
            .SelectMany((rows, width) => Gen.Select(Gen.Const(rows), Gen.Const(width), Gen.Long[-1, rows - 1].Array[0, 60]))
            .Sample(
                (rows, width, addresses) =>
                {
                    using var table = Numbered(rows, width);
                    var gathered = new float[addresses.Length * width];
                    Array.Fill(gathered, float.NaN);
                    table.Gather(addresses, gathered);
                    Assert.Equal(
                        addresses.SelectMany(row => Enumerable.Range(0, width).Select(column => row < 0 ? 0f : 100 * row + column)),
                        gathered
                    );
                }
            );

    [Fact]
    public void Rows_that_do_not_exist_are_refused_with_their_position()
    {
        using var table = Numbered(5, 3);
        Assert.Contains(
            "Row 5 at position 1",
            Assert.Throws<ArgumentOutOfRangeException>(() => table.Gather([0, 5], new float[6])).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Gather([-2], new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Gather([long.MaxValue], new float[3]));
        Assert.Throws<ArgumentException>(() => table.Gather([0], new float[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Row(5)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Row(-1)[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new EngramTable(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EngramTable(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EngramTable(long.MaxValue / 4, 2));
        Assert.Contains("GiB", Assert.Throws<OutOfMemoryException>(() => new EngramTable(1L << 52, 1)).Message, StringComparison.Ordinal);
    }

    /// <summary>A table that no memory holds is refused when it is made, not when it is filled.</summary>
    [Fact]
    public void More_memory_than_there_is_is_refused()
    {
        const string setting = "/proc/sys/vm/overcommit_memory";
        Assert.SkipUnless(
            File.Exists(setting) && File.ReadAllText(setting).Trim() != "1",
            "The system promises memory that it does not have."
        );
        Assert.Contains("GiB", Assert.Throws<OutOfMemoryException>(() => new EngramTable(1L << 35, 256)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public unsafe void Rows_begin_at_a_cache_line_and_follow_each_other()
    {
        using var table = Numbered(4, 3);
        Assert.Equal(0, (nint)table.Pointer % 64);
        Assert.Equal(201f, table.Pointer[7]);
    }

    [Fact]
    public void Gathering_allocates_nothing()
    {
        using var table = Numbered(50, 16);
        long[] rows = [.. Enumerable.Range(0, 50), -1, 3];
        var destination = new float[rows.Length * 16];
        table.Gather(rows, destination);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            table.Gather(rows, destination);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>A table of 2.4 GiB, of which three pages exist.</summary>
    [Fact]
    public void Tables_beyond_2_GiB_are_addressed_with_64_bits()
    {
        const int width = 80;
        const long rows = 8_000_000;
        using var table = new EngramTable(rows, width);
        table.Row(rows - 1)[width - 1] = 1;
        table.Row(rows / 2)[0] = 2;
        var gathered = new float[4 * width];
        table.Gather([rows - 1, 0, rows / 2, rows - 2], gathered);
        Assert.Equal((1f, 2f), (gathered[width - 1], gathered[2 * width]));
        Assert.Equal(3, gathered.Sum());
    }

    [Fact]
    public void A_new_table_is_zero_and_becomes_so_again()
    {
        using var table = new EngramTable(100, 7);
        Assert.All(Values(table), value => Assert.Equal(0, value));
        table.FillNormal(1, 1);
        Assert.DoesNotContain(0f, Values(table));
        table.FillZero();
        Assert.All(Values(table), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Normal_values_have_their_moments_and_follow_the_seed()
    {
        using var table = new EngramTable(20_001, 5);
        table.FillNormal(7, 0.5f);
        var values = Values(table);
        var n = (double)values.Length;
        // Four standard errors of each moment.
        Assert.InRange(values.Sum(x => (double)x) / n, -4 * 0.5 / Math.Sqrt(n), 4 * 0.5 / Math.Sqrt(n));
        Assert.InRange(values.Sum(x => x * (double)x) / n / 0.25, 1 - 4 * Math.Sqrt(2 / n), 1 + 4 * Math.Sqrt(2 / n));
        Assert.InRange(values.Sum(x => Math.Pow(x / 0.5, 4)) / n, 3 - 4 * Math.Sqrt(96 / n), 3 + 4 * Math.Sqrt(96 / n));
        // Neighbours are independent, also the two halves of a pair.
        Assert.InRange(values.Zip(values.Skip(1), (a, b) => a * (double)b).Sum() / n / 0.25, -4 / Math.Sqrt(n), 4 / Math.Sqrt(n));

        using var again = new EngramTable(20_001, 5);
        again.FillNormal(7, 0.5f);
        Assert.Equal(values, Values(again));
        again.FillNormal(8, 0.5f);
        Assert.DoesNotContain(values.Zip(Values(again)), pair => pair.First == pair.Second);
        Assert.Throws<ArgumentOutOfRangeException>(() => again.FillNormal(1, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => again.FillNormal(1, float.NaN));
    }

    /// <summary>Value number i is a function of seed and i alone, so however the work is divided it is the same.</summary>
    [Fact]
    public void Normal_values_do_not_depend_on_the_size_of_the_table()
    {
        using var small = new EngramTable(999, 1);
        using var large = new EngramTable(70_000, 3);
        small.FillNormal(3, 1);
        large.FillNormal(3, 1);
        Assert.Equal(Values(small), Values(large)[..999]);
    }

    [Fact]
    public void Shuffling_moves_rows_within_their_segment_only()
    {
        using var table = Numbered(60, 3);
        long[] offsets = [0, 13, 30, 31];
        using var shuffled = table.Shuffled(5, offsets);
        using var again = table.Shuffled(5, offsets);
        using var other = table.Shuffled(6, offsets);
        Assert.Equal(Values(shuffled), Values(again));
        Assert.NotEqual(Values(shuffled), Values(other));
        Assert.Equal(Values(Numbered(60, 3)), Values(table));
        foreach (var (from, to) in offsets.Zip([.. offsets.Skip(1), 60L]))
        {
            var numbers = Enumerable.Range((int)from, (int)(to - from)).Select(row => (long)shuffled.Row(row)[0] / 100).ToArray();
            Assert.Equal(Enumerable.Range((int)from, (int)(to - from)).Select(row => (long)row), numbers.Order());
            Assert.True(numbers.Length == 1 || !numbers.SequenceEqual(numbers.Order()));
        }
        for (var row = 0; row < 60; row++)
            Assert.Equal([shuffled.Row(row)[0] + 1, shuffled.Row(row)[0] + 2], shuffled.Row(row)[1..].ToArray());
        Assert.Throws<ArgumentException>(() => table.Shuffled(1, [1]));
        Assert.Throws<ArgumentException>(() => table.Shuffled(1, [0, 5, 5]));
        Assert.Throws<ArgumentException>(() => table.Shuffled(1, [0, 60]));
    }

    /// <summary>A row keeps its scales wherever it goes: rows of very different size, of an odd width.</summary>
    [Theory, InlineData("fp8/8"), InlineData("int8/4"), InlineData("int8/row"), InlineData("bfloat16")]
    public void Shuffling_moves_scales_with_their_rows(string name)
    {
        const int rows = 40,
            width = 33;
        using var table = new EngramTable(rows, width, RowFormat.Parse(name));
        table.Write(0, [.. Enumerable.Range(0, rows * width).Select(i => MathF.Pow(2, i / width - 20) * (1 + i % width / 64f))]);
        using var shuffled = table.Shuffled(3, [0]);
        var (before, after) = (Rows(table), Rows(shuffled));
        Assert.NotEqual(before, after);
        Assert.Equal(before, after.OrderBy(row => row[0]));

        float[][] Rows(EngramTable from)
        {
            var values = new float[rows * width];
            from.Gather([.. Enumerable.Range(0, rows).Select(row => (long)row)], values);
            return [.. values.Chunk(width)];
        }
    }

    /// <summary>Rows so wide that memory is asked for one at a time.</summary>
    [Fact]
    public void Widest_rows_are_gathered()
    {
        const int width = 1 << 16;
        using var table = new EngramTable(5, width);
        table.FillNormal(1, 1);
        var found = new float[7 * width];
        table.Gather([4, -1, 0, 4, 2, -1, 3], found);
        foreach (var (row, i) in new[] { 4, -1, 0, 4, 2, -1, 3 }.Select((row, i) => (row, i)))
            Assert.True(found.AsSpan(i * width, width).SequenceEqual(row < 0 ? new float[width] : table.Row(row)));
    }

    /// <summary>All orders of three rows come up equally often.</summary>
    [Fact]
    public void Shuffling_is_uniform()
    {
        using var table = Numbered(3, 1);
        var counts = new Dictionary<string, int>();
        for (var seed = 0ul; seed < 6000; seed++)
        {
            using var shuffled = table.Shuffled(seed, [0]);
            var order = string.Join(' ', Values(shuffled));
            counts[order] = counts.GetValueOrDefault(order) + 1;
        }
        Assert.Equal(6, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, 1000 - 5 * 29, 1000 + 5 * 29)); // five standard deviations
    }

    [Fact]
    public void A_saved_table_loads_bit_for_bit_and_saves_the_same_bytes()
    {
        using var table = new EngramTable(37, 5);
        table.FillNormal(1, 1);
        table.Row(3)[2] = -0f;
        table.Row(4)[0] = float.Epsilon;
        table.Save(Path, "model.layers.1.engram.embed.weight");
        var bytes = File.ReadAllBytes(Path);
        using var loaded = EngramTable.Load(Path, "model.layers.1.engram.embed.weight", rows: 37, width: 5);
        Assert.Equal((37, 5), (loaded.Rows, loaded.Width));
        Assert.Equal(Values(table).Select(BitConverter.SingleToUInt32Bits), Values(loaded).Select(BitConverter.SingleToUInt32Bits));
        loaded.Save(Path, "model.layers.1.engram.embed.weight");
        Assert.Equal(bytes, File.ReadAllBytes(Path));
    }

    [Fact]
    public void Files_that_hold_no_table_are_refused()
    {
        var writer = new SafetensorsWriter();
        writer.Add<float>("vector", DType.F32, [1, 2], 2);
        writer.Add<float>("empty", DType.F32, [], 0, 5);
        writer.Add<float>("thin", DType.F32, [], 5, 0);
        writer.Add<double>("double", DType.F64, [1], 1, 1);
        writer.Add<float>("nan", DType.F32, [1, 2, 3, float.NaN], 2, 2);
        writer.Add<float>("infinite", DType.F32, [1, 2, float.PositiveInfinity, 4], 2, 2);
        writer.Write(Path);
        (string Name, string Expected)[] wrong =
        [
            ("vector", "F32 [2]; F32 [-1, -1] is needed"),
            ("empty", "is no table"),
            ("thin", "is no table"),
            ("double", "F64"),
            ("nan", "row 1 of tensor 'nan'"),
            ("infinite", "row 1"),
            ("none", "no tensor 'none'"),
        ];
        foreach (var (name, expected) in wrong)
        {
            var error = Assert.Throws<InvalidDataException>(() => EngramTable.Load(Path, name));
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
            Assert.StartsWith(Path, error.Message, StringComparison.Ordinal);
        }
        Assert.Contains(
            "[2, 2]; F32 [3, -1] is needed",
            Assert.Throws<InvalidDataException>(() => EngramTable.Load(Path, "nan", rows: 3)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "[2, 2]; F32 [2, 3] is needed",
            Assert.Throws<InvalidDataException>(() => EngramTable.Load(Path, "nan", 2, 3)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<FileNotFoundException>(() => EngramTable.Load(_folder.File("none"), "x"));
    }

    [Fact]
    public void After_disposal_nothing_is_handed_out()
    {
        var table = Numbered(2, 2);
        table.Dispose();
        table.Dispose();
        Assert.Throws<ObjectDisposedException>(() => table.Row(0)[0]);
        Assert.Throws<ObjectDisposedException>(() => table.Gather([0], new float[2]));
    }
}

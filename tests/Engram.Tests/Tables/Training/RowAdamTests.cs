using CsCheck;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Training;
using Engram.Tests.Storage;

namespace Engram.Tests.Tables.Training;

public sealed class RowAdamTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("optimizer.safetensors");

    public void Dispose() => _folder.Dispose();

    private static float[] Values(EngramTable table) =>
        [.. Enumerable.Range(0, (int)table.Rows).SelectMany(row => table.Row(row).ToArray())];

    private static IEnumerable<uint> Bits(EngramTable table) => Values(table).Select(BitConverter.SingleToUInt32Bits);

    private static EngramTable Normal(long rows, int width)
    {
        var table = new EngramTable(rows, width);
        table.FillNormal(11, 0.1f);
        return table;
    }

    /// <summary>Adam of all rows at every step, zero gradients included, in double: the textbook.</summary>
    private sealed class DenseAdam(int size, double beta1 = 0.9, double beta2 = 0.95, double epsilon = 1e-20)
    {
        private readonly double[] _mean = new double[size];
        private readonly double[] _square = new double[size];
        private int _step;

        public double[] Values { get; } = new double[size];

        public void Step(double[] gradient, double learningRate)
        {
            _step++;
            for (var i = 0; i < Values.Length; i++)
                Update(i, gradient[i], learningRate, _step);
        }

        /// <summary>The lazy form with the global step in the bias correction: torch's SparseAdam.</summary>
        public void LazyStep(int[] touched, double[] gradient, double learningRate)
        {
            _step++;
            foreach (var i in touched)
                Update(i, gradient[i], learningRate, _step);
        }

        private void Update(int i, double gradient, double learningRate, int step)
        {
            _mean[i] = beta1 * _mean[i] + (1 - beta1) * gradient;
            _square[i] = beta2 * _square[i] + (1 - beta2) * gradient * gradient;
            var mean = _mean[i] / (1 - Math.Pow(beta1, step));
            var square = _square[i] / (1 - Math.Pow(beta2, step));
            Values[i] -= learningRate * mean / (Math.Sqrt(square) + epsilon);
        }
    }

    /// <summary>
    /// First update: m = 0.1·g, v = 0.05·g², both corrected back to g and g², so the value moves by the learning rate against the sign of
    /// g. Second, with g = 1 after g = 2: m = 0.9·0.2 + 0.1 = 0.28, v = 0.95·0.2 + 0.05 = 0.24, corrected 0.28/0.19 and 0.24/0.0975, so the
    /// step is 1.473684/1.568929 = 0.939293 learning rates.
    /// </summary>
    [Fact]
    public void Two_updates_by_hand()
    {
        using var table = new EngramTable(2, 1);
        using var adam = new RowAdam(table);
        adam.Step([1], [2], 0.5);
        Assert.Equal(-0.5f, table.Row(1)[0], 1e-6f);
        adam.Step([1], [1], 0.5);
        Assert.Equal(-0.5f - 0.5f * 0.939293f, table.Row(1)[0], 1e-6f);
        Assert.Equal(0f, table.Row(0)[0]);
        Assert.Equal((0, 2), (adam.Updates(0), adam.Updates(1)));
    }

    [Fact]
    public void Vectors_and_scalars_give_the_same_bits()
    {
        // In a child process of VectorWidthTests the width must be the one asked for: the runtime ignores a switch it does not know.
        if (Environment.GetEnvironmentVariable(VectorWidthTests.ExpectedBits) is { } bits)
            Assert.Equal(bits, VectorWidthTests.Bits);
        Gen.Select(Gen.Int[1, 70], Gen.Int[1, 6], Gen.Int[0, 1_000_000])
            .Sample(
                (width, steps, seed) =>
                {
                    using var fastTable = Normal(9, width);
                    using var slowTable = Normal(9, width);
                    using var fast = new RowAdam(fastTable);
                    using var slow = new RowAdam(slowTable);
                    var random = new Random(seed);
                    for (var step = 0; step < steps; step++)
                    {
                        long[] rows = [.. Enumerable.Range(-1, 10).Where(_ => random.Next(2) == 0).Select(row => (long)row)];
                        // From denormal to huge, zeros among them.
                        var gradients = Enumerable
                            .Range(0, rows.Length * width)
                            .Select(_ =>
                                random.Next(8) == 0 ? 0f : (float)((random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-30, 10)))
                            )
                            .ToArray();
                        fast.Step(rows, gradients, 1e-3, 0.37f);
                        slow.StepScalar(rows, gradients, 1e-3, 0.37f);
                    }
                    Assert.Equal(Bits(slowTable), Bits(fastTable));
                }
            );
    }

    /// <summary>Large enough to be divided among threads.</summary>
    [Fact]
    public void Threads_give_the_same_bits()
    {
        const int width = 80,
            rows = 4000;
        using var fastTable = Normal(rows, width);
        using var slowTable = Normal(rows, width);
        using var fast = new RowAdam(fastTable);
        using var slow = new RowAdam(slowTable);
        var random = new Random(1);
        for (var step = 0; step < 3; step++)
        {
            long[] touched = [.. Enumerable.Range(0, rows).Select(row => (long)row).Where(_ => random.Next(3) > 0)];
            random.Shuffle(touched);
            var gradients = Enumerable.Range(0, touched.Length * width).Select(_ => (float)random.NextDouble() - 0.5f).ToArray();
            fast.Step(touched, gradients, 1e-2);
            slow.StepScalar(touched, gradients, 1e-2);
        }
        Assert.Equal(Bits(slowTable), Bits(fastTable));
    }

    [Fact]
    public void Rows_touched_at_every_step_move_as_under_dense_Adam()
    {
        const int width = 12,
            rows = 5;
        using var table = new EngramTable(rows, width);
        using var adam = new RowAdam(table);
        var dense = new DenseAdam(rows * width);
        var random = new Random(4);
        for (var step = 0; step < 400; step++)
        {
            var gradients = Enumerable.Range(0, rows * width).Select(_ => (float)((random.NextDouble() - 0.3) * 1e-6)).ToArray();
            adam.Step([0, 1, 2, 3, 4], gradients, 1e-3, 0.5f);
            dense.Step([.. gradients.Select(gradient => gradient * 0.5)], 1e-3);
        }
        // 400 steps of 1e-3 in single against double precision: a relative error of 6e-8 per operation.
        Assert.All(Values(table).Zip(dense.Values), pair => Assert.Equal(pair.Second, pair.First, 2e-6));
    }

    /// <summary>The textbook's Adam over all rows, of which a few are read at a time, under a learning rate that changes.</summary>
    [Fact]
    public void Dense_updates_are_those_of_dense_Adam()
    {
        const int width = 5,
            rows = 7;
        using var table = new EngramTable(rows, width);
        using var adam = new RowAdam(table, updates: RowUpdates.Dense);
        var dense = new DenseAdam(rows * width);
        var random = new Random(4);
        for (var step = 0; step < 300; step++)
        {
            long[] read = [.. Enumerable.Range(0, rows - 1).Where(_ => random.Next(5) == 0).Select(row => (long)row)]; // the last row never
            var gradients = read.SelectMany(_ => Enumerable.Range(0, width).Select(_ => (float)((random.NextDouble() - 0.3) * 1e-6)))
                .ToArray();
            var whole = new double[rows * width];
            for (var i = 0; i < gradients.Length; i++)
                whole[(int)read[i / width] * width + (i % width)] = gradients[i];
            var rate = 1e-3 / (1 + (step % 10));
            adam.Step(read, gradients, rate);
            dense.Step(whole, rate);
        }
        // 300 steps of 1e-3 in single against double precision: a relative error of 6e-8 per operation.
        Assert.All(Values(table).Zip(dense.Values), pair => Assert.Equal(pair.Second, pair.First, 2e-6));
        Assert.Equal([300, 300, 300, 300, 300, 300, 0], Enumerable.Range(0, rows).Select(row => adam.Updates(row)));
    }

    [Fact]
    public void Deferred_updates_are_dense_ones_to_the_bit_wherever_rows_are_read()
    {
        const int rows = 30,
            width = 19;
        using var denseTable = Normal(rows, width);
        using var deferredTable = Normal(rows, width);
        using var scalarTable = Normal(rows, width);
        using var dense = new RowAdam(denseTable, updates: RowUpdates.Dense);
        using var deferred = new RowAdam(deferredTable, updates: RowUpdates.Deferred);
        using var scalar = new RowAdam(scalarTable, updates: RowUpdates.Deferred);
        var random = new Random(5);
        for (var step = 0; step < 200; step++)
        {
            var (read, gradients) = Optimizers.Batch(random, rows, width, 0.1);
            // What a forward pass reads is what it would read of the dense one.
            deferred.CatchUp(read);
            foreach (var row in read.Where(row => row >= 0))
                Assert.Equal(denseTable.Row(row).ToArray(), deferredTable.Row(row).ToArray());
            var rate = 1e-2 * (1 + (step % 7));
            dense.Step(read, gradients, rate, 0.5f);
            deferred.Step(read, gradients, rate, 0.5f);
            scalar.StepScalar(read, gradients, rate, 0.5f);
            if (step == 90)
                deferred.CatchUp();
        }
        Assert.NotEqual(Bits(denseTable), Bits(deferredTable));
        Assert.Equal("Rows lie behind", Assert.Throws<InvalidOperationException>(() => deferred.Save(Path, "t")).Message[..15]);
        deferred.CatchUp();
        scalar.CatchUpScalar();
        Assert.Equal(Bits(denseTable), Bits(deferredTable));
        Assert.Equal(Bits(denseTable), Bits(scalarTable));

        var saved = _folder.File("dense.safetensors");
        dense.Save(saved, "t");
        deferred.Save(Path, "t");
        Assert.Equal(File.ReadAllBytes(saved), File.ReadAllBytes(Path));
    }

    [Fact]
    public void Rows_read_at_every_step_move_alike_in_every_form()
    {
        using var lazyTable = Normal(4, 6);
        using var denseTable = Normal(4, 6);
        using var lazy = new RowAdam(lazyTable);
        using var dense = new RowAdam(denseTable, updates: RowUpdates.Dense);
        var random = new Random(6);
        for (var step = 0; step < 50; step++)
        {
            float[] gradients = [.. Enumerable.Range(0, 24).Select(_ => random.NextSingle() - 0.5f)];
            lazy.Step([0, 1, 2, 3], gradients, 1e-2);
            dense.Step([0, 1, 2, 3], gradients, 1e-2);
        }
        Assert.Equal(Bits(lazyTable), Bits(denseTable));
    }

    [Fact]
    public void Steps_of_the_table_and_of_its_rows_must_agree()
    {
        using var table = Normal(5, 2);
        using var lazy = new RowAdam(table);
        using var deferred = new RowAdam(table, updates: RowUpdates.Deferred);
        lazy.Step([1], [1, 2], 0);
        lazy.Save(Path, "t");
        Assert.Contains(
            "no tensor 't.steps'",
            Assert.Throws<InvalidDataException>(() => deferred.Load(Path, "t")).Message,
            StringComparison.Ordinal
        );
        deferred.Step([1], [1, 2], 0);
        deferred.Step([3], [1, 2], 0);
        deferred.CatchUp();
        deferred.Save(Path, "t");
        Assert.Contains(
            "not to lazy ones",
            Assert.Throws<InvalidDataException>(() => lazy.Load(Path, "t")).Message,
            StringComparison.Ordinal
        );
        var writer = new SafetensorsWriter { Metadata = { ["t.table_rows"] = "5" } };
        writer.Add<long>("t.rows", DType.I64, [1], 1);
        writer.Add<int>("t.step", DType.I32, [1], 1);
        writer.Add<float>("t.exp_avg", DType.F32, [1, 2], 1, 2);
        writer.Add<float>("t.exp_avg_sq", DType.F32, [1, 2], 1, 2);
        writer.Add<long>("t.steps", DType.I64, [2], 1);
        writer.Write(Path);
        Assert.Contains(
            "row 1 of 't' is computed up to step 1 of the 2 of its table",
            Assert.Throws<InvalidDataException>(() => deferred.Load(Path, "t")).Message,
            StringComparison.Ordinal
        );
        Assert.Equal((2, 2), (deferred.Updates(1), deferred.Updates(3)));
    }

    [Fact]
    public void Rows_that_are_not_read_keep_value_and_state_to_the_bit()
    {
        using var table = Normal(6, 9);
        using var adam = new RowAdam(table);
        var gradients = Enumerable.Range(0, 27).Select(i => i - 13f).ToArray();
        adam.Step([0, 2, 4], gradients, 1e-2);
        var before = Bits(table).ToArray();
        for (var i = 0; i < 5; i++)
            adam.Step([2, -1, 5], gradients, 1e-2);
        var after = Bits(table).ToArray();
        foreach (var row in new[] { 0, 1, 3, 4 })
            Assert.Equal(before[(row * 9)..(row * 9 + 9)], after[(row * 9)..(row * 9 + 9)]);
        Assert.Equal([1, 0, 6, 0, 1, 5], Enumerable.Range(0, 6).Select(row => adam.Updates(row)));

        // The state too: row 0 continues as if the steps between had not been.
        using var aloneTable = Normal(6, 9);
        using var alone = new RowAdam(aloneTable);
        alone.Step([0], gradients.AsSpan(0, 9), 1e-2);
        alone.Step([0], gradients.AsSpan(9, 9), 1e-2);
        adam.Step([0], gradients.AsSpan(9, 9), 1e-2);
        Assert.Equal(Bits(aloneTable).Take(9), Bits(table).Take(9));
    }

    /// <summary>
    /// What a single touch of a rare row adds up to after long training, in learning rates: the forms differ by an order of magnitude, so
    /// the factor on the rate belongs to the form.
    /// </summary>
    [Fact]
    public void One_touch_of_a_rare_row_moves_it_by_one_learning_rate()
    {
        using var table = new EngramTable(2, 1);
        using var adam = new RowAdam(table);
        var (dense, global) = (new DenseAdam(2), new DenseAdam(2));
        for (var step = 0; step < 1000; step++)
        {
            adam.Step([0], [1e-4f], 1);
            dense.Step([1e-4, 0], 1);
            global.LazyStep([0], [1e-4, 0], 1);
        }
        adam.Step([1], [3e-7f], 1);
        dense.Step([1e-4, 3e-7], 1);
        global.LazyStep([1], [0, 3e-7], 1);
        for (var step = 0; step < 400; step++)
            dense.Step([1e-4, 0], 1);

        Assert.Equal(-1f, table.Row(1)[0], 1e-5f);
        Assert.Equal(-0.447, global.Values[1], 5e-4);
        Assert.Equal(-0.447 / (1 - 0.9 / Math.Sqrt(0.95)), dense.Values[1], 5e-3); // 5.8
    }

    [Fact]
    public void Tiny_gradients_are_not_swamped()
    {
        using var table = new EngramTable(1, 3);
        using var adam = new RowAdam(table);
        adam.Step([0], [1e-12f, -1e-15f, 0], 0.01);
        Assert.Equal([-0.01f, 0.01f, 0f], Values(table), (a, b) => Math.Abs(a - b) < 1e-5f);
    }

    [Fact]
    public void A_scaled_gradient_is_the_gradient_times_the_scale()
    {
        using var scaledTable = Normal(3, 4);
        using var plainTable = Normal(3, 4);
        using var scaled = new RowAdam(scaledTable, 0.8, 0.99, 1e-3f);
        using var plain = new RowAdam(plainTable, 0.8, 0.99, 1e-3f);
        float[] gradients = [1, -2, 3, 4, 0.5f, 6, -7, 8];
        scaled.Step([2, 0], gradients, 0.1, 0.25f);
        plain.Step([2, 0], [.. gradients.Select(gradient => gradient * 0.25f)], 0.1);
        Assert.Equal(Bits(plainTable), Bits(scaledTable));
    }

    [Fact]
    public void The_order_of_the_rows_does_not_matter()
    {
        using var aTable = Normal(4, 3);
        using var bTable = Normal(4, 3);
        using var a = new RowAdam(aTable);
        using var b = new RowAdam(bTable);
        a.Step([3, 1], [1, 2, 3, 4, 5, 6], 0.1);
        b.Step([1, 3], [4, 5, 6, 1, 2, 3], 0.1);
        Assert.Equal(Bits(aTable), Bits(bTable));
    }

    [Fact]
    public void A_step_that_cannot_be_done_changes_nothing()
    {
        using var table = Normal(4, 3);
        using var adam = new RowAdam(table);
        var before = Bits(table).ToArray();
        Assert.Contains(
            "Row 4 at position 1",
            Assert.Throws<ArgumentOutOfRangeException>(() => adam.Step([0, 4], new float[6], 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => adam.Step([0, -2], new float[6], 1));
        Assert.Throws<ArgumentException>(() => adam.Step([0, 1], new float[5], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => adam.Step([0], new float[3], double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => adam.Step([0], new float[3], -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => adam.Step([0], new float[3], 1, float.NaN));
        Assert.Equal(before, Bits(table));
        Assert.Equal(0, adam.Updates(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => adam.Updates(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowAdam(table, beta1: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowAdam(table, beta2: -0.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowAdam(table, epsilon: 0));
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        using var table = Normal(40, 16);
        using var adam = new RowAdam(table);
        long[] rows = [.. Enumerable.Range(0, 40)];
        var gradients = new float[40 * 16];
        Array.Fill(gradients, 0.1f);
        // Until the bias corrections have reached 1, the list of them grows.
        for (var step = 0; step < 800; step++)
            adam.Step(rows, gradients, 1e-3);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var step = 0; step < 50; step++)
            adam.Step(rows, gradients, 1e-3);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Saved_and_loaded_it_continues_to_the_bit()
    {
        using var table = Normal(50, 7);
        using var adam = new RowAdam(table);
        var random = new Random(8);
        for (var step = 0; step < 20; step++)
            Step(adam);
        table.Save(_folder.File("table.safetensors"), "t");
        adam.Save(Path, "t");
        var bytes = File.ReadAllBytes(Path);

        using var loadedTable = EngramTable.Load(_folder.File("table.safetensors"), "t");
        using var loaded = new RowAdam(loadedTable);
        loaded.Step([0, 49], new float[14], 0); // a state that the file replaces
        loaded.Load(Path, "t");
        loaded.Save(Path, "t");
        Assert.Equal(bytes, File.ReadAllBytes(Path));
        Assert.Equal(Enumerable.Range(0, 50).Select(row => adam.Updates(row)), Enumerable.Range(0, 50).Select(row => loaded.Updates(row)));
        var resume = random.Next();
        for (var (i, one, other) = (0, new Random(resume), new Random(resume)); i < 5; i++)
        {
            random = one;
            Step(adam);
            random = other;
            Step(loaded);
        }
        Assert.Equal(Bits(table), Bits(loadedTable));

        void Step(RowAdam optimizer)
        {
            long[] rows = [.. Enumerable.Range(0, 40).Where(_ => random.Next(4) == 0).Select(row => (long)row)];
            optimizer.Step(rows, [.. Enumerable.Range(0, rows.Length * 7).Select(_ => random.NextSingle() - 0.5f)], 1e-2);
        }
    }

    [Fact]
    public void The_file_lists_the_rows_touched_so_far()
    {
        using var table = new EngramTable(1000, 2);
        using var adam = new RowAdam(table);
        adam.Step([900, 3], [1, 2, 3, 4], 1);
        adam.Step([3], [0, 0], 1);
        adam.Save(Path, "t");
        using var file = SafetensorsFile.Open(Path);
        var (rows, updates, squares) = (new long[2], new int[2], new float[4]);
        file.CopyTo("t.rows", rows, 2);
        file.CopyTo("t.step", updates, 2);
        file.CopyTo("t.exp_avg_sq", squares, 2, 2);
        file.Require("t.exp_avg", DType.F32, 2, 2);
        Assert.Equal([3, 900], rows);
        Assert.Equal([2, 1], updates);
        Assert.Equal([0.05f * 9 * 0.95f, 0.05f * 16 * 0.95f, 0.05f, 0.2f], squares, (a, b) => Math.Abs(a - b) < 1e-6f);
        Assert.Equal("1000", file.Metadata["t.table_rows"]);
    }

    public static TheoryData<string, Action<Dictionary<string, Array>>, string> Damages =>
        new()
        {
            { "row too large", s => s["t.rows"] = new long[] { 1, 5 }, "row 5 at position 1" },
            { "row negative", s => s["t.rows"] = new long[] { -1, 3 }, "row -1 at position 0" },
            { "rows repeated", s => s["t.rows"] = new long[] { 3, 3 }, "row 3 at position 1" },
            { "no update", s => s["t.step"] = new[] { 1, 0 }, "0 updates" },
            { "mean not a number", s => s["t.exp_avg"] = new[] { 1, 2, 3, float.NaN }, "row 3 of 't' is not finite" },
            { "square infinite", s => s["t.exp_avg_sq"] = new[] { 1, float.PositiveInfinity, 3, 4 }, "row 1 of 't'" },
            { "square negative", s => s["t.exp_avg_sq"] = new[] { 1f, 2, 3, -4 }, "negative mean square" },
            { "lengths differ", s => s["t.step"] = new[] { 1 }, "'t.step' is I32 [1]; I32 [2] is needed" },
            { "tensor missing", s => s.Remove("t.exp_avg"), "no tensor 't.exp_avg'" },
            { "other table", s => s["rows"] = new[] { 6 }, "for a table of 6 rows; this one has 5" },
            { "table unknown", s => s.Remove("rows"), "for a table of unknown rows" },
        };

    [Theory, MemberData(nameof(Damages))]
    public void A_damaged_state_is_refused_and_the_old_one_kept(string what, Action<Dictionary<string, Array>> damage, string expected)
    {
        Assert.NotEmpty(what);
        var content = new Dictionary<string, Array>
        {
            ["t.rows"] = new long[] { 1, 3 },
            ["t.step"] = new[] { 2, 1 },
            ["t.exp_avg"] = new float[] { 1, 2, 3, 4 },
            ["t.exp_avg_sq"] = new float[] { 1, 2, 3, 4 },
            ["rows"] = new[] { 5 },
        };
        damage(content);
        var writer = new SafetensorsWriter();
        if (content.Remove("rows", out var rows))
            writer.Metadata["t.table_rows"] = rows.GetValue(0)!.ToString()!;
        foreach (var (name, values) in content)
            switch (values)
            {
                case long[] numbers:
                    writer.Add<long>(name, DType.I64, numbers, numbers.Length);
                    break;
                case int[] numbers:
                    writer.Add<int>(name, DType.I32, numbers, numbers.Length);
                    break;
                case float[] numbers:
                    writer.Add<float>(name, DType.F32, numbers, numbers.Length / 2, 2);
                    break;
            }
        writer.Write(Path);

        using var table = new EngramTable(5, 2);
        using var adam = new RowAdam(table);
        adam.Step([4], [1, 1], 0.1);
        var error = Assert.Throws<InvalidDataException>(() => adam.Load(Path, "t"));
        Assert.StartsWith(Path, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Equal([0, 0, 0, 0, 1], Enumerable.Range(0, 5).Select(row => adam.Updates(row)));
    }
}

using CsCheck;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tables.Training;
using Engram.Tests.Storage;

namespace Engram.Tests.Tables.Training;

/// <summary>What holds for every row optimizer.</summary>
public sealed class RowOptimizerTests : IDisposable
{
    private const string Tensor = "t.weight";

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> All => [.. Optimizers.Names];

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(All))]
    public void Vectors_and_scalars_give_the_same_bits(string name)
    {
        if (Environment.GetEnvironmentVariable(VectorWidthTests.ExpectedBits) is { } bits)
            Assert.Equal(bits, VectorWidthTests.Bits);
        Gen.Select(Gen.Int[1, 70], Gen.Int[1, 6], Gen.Int[0, 1_000_000])
            .Sample(
                (width, steps, seed) =>
                {
                    using var fastTable = Optimizers.Normal(9, width);
                    using var slowTable = Optimizers.Normal(9, width);
                    using var fast = Optimizers.Create(name, fastTable);
                    using var slow = Optimizers.Create(name, slowTable);
                    var random = new Random(seed);
                    for (var step = 0; step < steps; step++)
                    {
                        var (rows, gradients) = Optimizers.Batch(random, 9, width);
                        fast.Step(rows, gradients, 1e-3, 0.37f);
                        slow.StepScalar(rows, gradients, 1e-3, 0.37f);
                    }
                    Assert.Equal(Optimizers.Bits(slowTable), Optimizers.Bits(fastTable));
                },
                iter: 60
            );
    }

    /// <summary>Widths around those of vectors and of the pieces in which rows are worked on.</summary>
    [Theory, MemberData(nameof(All))]
    public void Boundary_widths_give_the_same_bits(string name)
    {
        foreach (var width in (int[])[1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 127, 128, 129, 256, 300])
        {
            using var fastTable = Optimizers.Normal(5, width);
            using var slowTable = Optimizers.Normal(5, width);
            using var fast = Optimizers.Create(name, fastTable);
            using var slow = Optimizers.Create(name, slowTable);
            var random = new Random(width);
            for (var step = 0; step < 4; step++)
            {
                var (rows, gradients) = Optimizers.Batch(random, 5, width);
                fast.Step(rows, gradients, 1e-2);
                slow.StepScalar(rows, gradients, 1e-2);
            }
            Assert.Equal(Optimizers.Bits(slowTable), Optimizers.Bits(fastTable));
        }
    }

    [Theory, MemberData(nameof(All))]
    public void Threads_give_the_same_bits(string name)
    {
        const int width = 40,
            rows = 6000;
        using var manyTable = Optimizers.Normal(rows, width);
        using var oneTable = Optimizers.Normal(rows, width);
        using var many = Optimizers.Create(name, manyTable);
        using var one = Optimizers.Create(name, oneTable);
        var random = new Random(1);
        for (var step = 0; step < 3; step++)
        {
            var (touched, gradients) = Optimizers.Batch(random, rows, width, 0.6);
            many.Step(touched, gradients, 1e-2, threads: 7);
            one.Step(touched, gradients, 1e-2, threads: 1);
        }
        Assert.Equal(Optimizers.Bits(oneTable), Optimizers.Bits(manyTable));
    }

    [Theory, MemberData(nameof(All))]
    public void The_order_of_the_rows_does_not_matter(string name)
    {
        using var aTable = Optimizers.Normal(4, 3);
        using var bTable = Optimizers.Normal(4, 3);
        using var a = Optimizers.Create(name, aTable);
        using var b = Optimizers.Create(name, bTable);
        a.Step([3, 1], [1, 2, 3, 4, 5, 6], 0.1);
        b.Step([1, 3], [4, 5, 6, 1, 2, 3], 0.1);
        Assert.Equal(Optimizers.Bits(aTable), Optimizers.Bits(bTable));
    }

    [Theory, MemberData(nameof(All))]
    public void A_step_that_cannot_be_done_changes_nothing(string name)
    {
        using var table = Optimizers.Normal(4, 3);
        using var optimizer = Optimizers.Create(name, table);
        var before = Optimizers.Bits(table);
        Assert.Contains(
            "Row 4 at position 1",
            Assert.Throws<ArgumentOutOfRangeException>(() => optimizer.Step([0, 4], new float[6], 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => optimizer.Step([0, -2], new float[6], 1));
        Assert.Throws<ArgumentException>(() => optimizer.Step([0, 1], new float[5], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => optimizer.Step([0], new float[3], double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => optimizer.Step([0], new float[3], 1, float.NaN));
        Assert.Equal(before, Optimizers.Bits(table));
    }

    [Theory, MemberData(nameof(All))]
    public void Only_float32_that_can_be_written_is_trained(string name)
    {
        using (var table = Optimizers.Normal(4, 3))
            table.Save(_folder.File("table"), Tensor);
        using var mapped = EngramTable.Map(_folder.File("table"), Tensor);
        Assert.Contains(
            "open for reading",
            Assert.Throws<ArgumentException>(() => Optimizers.Create(name, mapped)).Message,
            StringComparison.Ordinal
        );
        using var halves = new EngramTable(4, 3, RowFormat.BFloat16);
        Assert.Contains(
            "rows of bfloat16",
            Assert.Throws<ArgumentException>(() => Optimizers.Create(name, halves)).Message,
            StringComparison.Ordinal
        );
        using var memory = new EngramTable(4, 3);
        Assert.Contains(
            "mapped",
            Assert.Throws<ArgumentException>(() => Optimizers.Create(name, memory, _folder.File("state"))).Message,
            StringComparison.Ordinal
        );
    }

    [Theory, MemberData(nameof(All))]
    public void Saved_and_loaded_it_continues_to_the_bit(string name)
    {
        const int rows = 50,
            width = 7;
        var (path, again) = (_folder.File("state.safetensors"), _folder.File("again.safetensors"));
        using var table = Optimizers.Normal(rows, width);
        using var optimizer = Optimizers.Create(name, table);
        for (var step = 0; step < 20; step++)
            Step(optimizer, step);
        optimizer.CatchUp();
        table.Save(_folder.File("table"), Tensor);
        optimizer.Save(path, Tensor);

        using var loadedTable = EngramTable.Load(_folder.File("table"), Tensor);
        using var loaded = Optimizers.Create(name, loadedTable);
        loaded.Step([0, 49], Enumerable.Repeat(1f, 2 * width).ToArray(), 0); // a state that the file replaces
        loaded.Load(path, Tensor);
        loaded.Save(again, Tensor);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(again));
        for (var step = 20; step < 30; step++)
        {
            Step(optimizer, step);
            Step(loaded, step);
        }
        optimizer.CatchUp();
        loaded.CatchUp();
        Assert.Equal(Optimizers.Bits(table), Optimizers.Bits(loadedTable));

        static void Step(RowOptimizer optimizer, int step)
        {
            // The last rows are never read.
            var (touched, gradients) = Optimizers.Batch(new Random(step), 40, width, 0.2);
            optimizer.Step(touched, gradients, 1e-2);
        }
    }

    [Theory, MemberData(nameof(All))]
    public void Mapped_it_gives_the_bits_of_memory(string name)
    {
        const int rows = 300,
            width = 24;
        using var memory = Optimizers.Normal(rows, width);
        memory.Save(_folder.File("table"), Tensor);
        using var inMemory = Optimizers.Create(name, memory);
        for (var part = 0; part < 3; part++)
        {
            // Closed and opened again: files are all there is to it, but for what is not kept per row.
            using var mapped = EngramTable.MapWritable(_folder.File("table"), Tensor);
            using var optimizer = Optimizers.Create(name, mapped, _folder.File("state"));
            if (part > 0)
                optimizer.Load(_folder.File("rest"), Tensor);
            for (var step = 0; step < 4; step++)
            {
                var (touched, gradients) = Optimizers.Batch(new Random(10 * part + step), rows, width, 0.1);
                inMemory.Step(touched, gradients, 1e-2);
                optimizer.Step(touched, gradients, 1e-2);
            }
            inMemory.CatchUp();
            optimizer.CatchUp();
            Assert.Equal(Optimizers.Bits(memory), Optimizers.Bits(mapped));
            optimizer.Save(_folder.File("rest"), Tensor);
            optimizer.Flush();
        }
        Assert.True(new FileInfo(_folder.File("rest")).Length < 5000, "the rows stay in their own file");
    }

    [Theory, MemberData(nameof(All))]
    public void A_state_file_of_something_else_is_refused(string name)
    {
        EngramTable.CreateFile(_folder.File("small"), Tensor, 5, 4);
        EngramTable.CreateFile(_folder.File("large"), Tensor, 6, 4);
        using var small = EngramTable.MapWritable(_folder.File("small"), Tensor);
        using var large = EngramTable.MapWritable(_folder.File("large"), Tensor);
        Optimizers.Create(name, small, _folder.File("state")).Dispose();
        var error = Assert.Throws<InvalidDataException>(() => Optimizers.Create(name, large, _folder.File("state")));
        Assert.StartsWith(_folder.File("state"), error.Message, StringComparison.Ordinal);
        Assert.Contains("[5", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => Optimizers.Create(name, large, _folder.File("small")));
    }

    /// <summary>
    /// Whatever bytes are wrong: one error that names the file, and the state as it was; or a state that can be trained on.
    /// </summary>
    [Theory, MemberData(nameof(All))]
    public void A_damaged_state_is_one_error_or_a_valid_state(string name)
    {
        const int rows = 12,
            width = 3;
        var (path, before) = (_folder.File("state.safetensors"), _folder.File("before"));
        using var table = Optimizers.Normal(rows, width);
        using var optimizer = Optimizers.Create(name, table);
        for (var step = 0; step < 5; step++)
            optimizer.Step([step, step + 3], [1, 2, 3, -4, 5, 6], 1e-2);
        optimizer.CatchUp();
        optimizer.Save(path, Tensor);
        var intact = File.ReadAllBytes(path);
        var refused = 0;
        Gen.Select(Gen.Int[0, intact.Length - 1], Gen.Byte, Gen.Int[0, 9])
            .Sample(
                (at, value, kind) =>
                {
                    byte[] damaged = kind == 0 ? intact[..at] : [.. intact];
                    if (kind > 0)
                        damaged[at] = value;
                    File.WriteAllBytes(path, damaged);
                    optimizer.CatchUp();
                    optimizer.Save(before, Tensor);
                    try
                    {
                        optimizer.Load(path, Tensor);
                        optimizer.Step([0, 11], [1, 1, 1, 1, 1, 1], 1e-3);
                    }
                    catch (InvalidDataException e)
                    {
                        Interlocked.Increment(ref refused);
                        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
                        optimizer.Save(_folder.File("after"), Tensor);
                        Assert.Equal(File.ReadAllBytes(before), File.ReadAllBytes(_folder.File("after")));
                    }
                },
                iter: 120,
                threads: 1
            );
        Assert.True(refused > 12, $"{refused} of 120 damages refused");
    }

    /// <summary>A state of one optimizer is not taken for that of another.</summary>
    [Fact]
    public void States_belong_to_their_optimizer()
    {
        using var table = Optimizers.Normal(5, 2);
        foreach (var written in Optimizers.Names)
        {
            using var writer = Optimizers.Create(written, table);
            writer.Step([1, 3], [1, 2, 3, 4], 0);
            writer.CatchUp();
            writer.Save(_folder.File("state"), Tensor);
            foreach (var read in Optimizers.Names)
            {
                using var reader = Optimizers.Create(read, table);
                // one state, computed at another time
                if (read == written || (read, written) is ("adam dense", "adam deferred") or ("adam deferred", "adam dense"))
                    reader.Load(_folder.File("state"), Tensor);
                else
                    Assert.Throws<InvalidDataException>(() => reader.Load(_folder.File("state"), Tensor));
            }
        }
        using var file = SafetensorsFile.Open(_folder.File("state"));
        Assert.Equal("5", file.Metadata[Tensor + ".table_rows"]);
    }
}

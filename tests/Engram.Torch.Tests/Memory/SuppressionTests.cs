using Engram.Models.Memory;
using Engram.Models.Sequences;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Memory;

/// <summary>Parts of a memory are silenced row by row, for whole sequences and for those that are read piece by piece.</summary>
public class SuppressionTests
{
    private const int Heads = 2;
    private static readonly int[] Layers = [1, 2],
        Orders = [2, 3];

    public static TheoryData<string, SuppressedRow> Parts
    {
        get
        {
            var parts = new TheoryData<string, SuppressedRow>();
            foreach (var part in new[] { "all", "layer=2", "order=3", "head=1", "layer=1,order=2,head=0" })
            foreach (var replacement in Enum.GetValues<SuppressedRow>())
                parts.Add(part, replacement);
            return parts;
        }
    }

    [Theory, MemberData(nameof(Parts))]
    public void Rows_of_the_part_are_replaced_and_no_others(string part, SuppressedRow replacement)
    {
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { TableInitStd = 0.1, DeadTokenIds = [7] }));
        var memory = model.Memory!;
        var suppression = Suppression.Parse(part, replacement);
        using var suppressed = memory.Suppressed(suppression);
        int[] ids = [0, 20, 30, 7, 40, 50, 60, 70];
        var (whole, without, width) = (Gathered(memory, ids), Gathered(suppressed, ids), model.Configuration.Engram!.HeadDim);
        for (var position = 0; position < Layers.Length; position++)
        for (var t = 0; t < ids.Length; t++)
        for (var column = 0; column < Orders.Length * Heads; column++)
        {
            var (layer, order, head) = (Layers[position], Orders[column / Heads], column % Heads);
            var replaced =
                (suppression.Layer ?? layer) == layer && (suppression.Order ?? order) == order && (suppression.Head ?? head) == head;
            var at = (t * Orders.Length * Heads + column) * width;
            float[] expected =
                !replaced || ids[t] == 7 ? whole[position][at..(at + width)]
                : replacement == SuppressedRow.Zero ? new float[width]
                : Mean(memory, position, column);
            AssertClose(expected, without[position][at..(at + width)]);
        }
    }

    /// <summary>What is silenced twice reads the same means, not means of means.</summary>
    [Fact]
    public void A_part_of_a_silenced_memory_is_silenced()
    {
        using var model = RandomModel.Create(TinyRun.WithMemory(memory => memory with { TableInitStd = 0.1 }));
        using var once = model.Memory!.Suppressed(Suppression.Parse("all"));
        using var order = model.Memory.Suppressed(Suppression.Parse("order=3"));
        using var twice = order.Suppressed(Suppression.Parse("all"));
        int[] ids = [0, 20, 30, 40, 50];
        Assert.Equal(Gathered(once, ids).SelectMany(row => row), Gathered(twice, ids).SelectMany(row => row));
    }

    [Fact]
    public void A_silenced_memory_is_one_that_is_off()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using var nothing = model.Memory!.Suppressed(new Suppression { Replacement = SuppressedRow.Zero });
        int[] ids = [0, 20, 30, 40, 50, 60];
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var zeros = model.GatherMemory(ids, [], 1, nothing);
        TensorAssertEqual(model.Transformer.Forward(ids, [], 1, null).Hidden, model.Transformer.Forward(ids, [], 1, zeros).Hidden);
    }

    [Fact]
    public void Pieces_are_addressed_as_the_whole()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using var suppressed = model.Memory!.Suppressed(Suppression.Parse("order=2,head=1"));
        int[] ids = [0, 20, 30, 40, 50, 60];
        var (whole, pieces) = (new MemoryRows(), new MemoryRows());
        suppressed.Address(ids, [], 1, whole);
        var history = new TokenHistory(model.Transformer.Documents);
        for (var t = 0; t < ids.Length; t++)
        {
            suppressed.AddressNext([history], [ids[t]], pieces);
            history.Append([ids[t]]);
            for (var position = 0; position < Layers.Length; position++)
                Assert.Equal(whole.Layer(position).Slice(t * suppressed.Columns, suppressed.Columns), pieces.Layer(position));
        }
    }

    /// <summary>Permuted keys exchange n-grams, not rows: every n-gram still has rows of its own, the same wherever it stands.</summary>
    [Fact]
    public void Permuted_keys_ask_for_other_ngrams()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using var permuted = model.Memory!.Ablation(MemoryUse.PermutedKeys)!;
        Assert.Equal(model.Memory.Map.CanonicalVocabularySize, permuted.Map.Map.ToArray().Distinct().Count());
        int[] ids = [20, 30, 40, 20, 30, 40];
        var (own, other) = (new MemoryRows(), new MemoryRows());
        model.Memory.Address(ids, [], 1, own);
        permuted.Address(ids, [], 1, other);
        var (columns, rows) = (permuted.Columns, other.Layer(0).ToArray());
        Assert.Equal(rows[(2 * columns)..(3 * columns)], rows[(5 * columns)..(6 * columns)]);
        Assert.NotEqual(own.Layer(0).ToArray()[(2 * columns)..(3 * columns)], rows[(2 * columns)..(3 * columns)]);
        Assert.Same(model.Memory.Tables.Store(0), permuted.Tables.Store(0));
    }

    [
        Theory,
        InlineData("all"),
        InlineData("layer=2"),
        InlineData("order=3@prompt"),
        InlineData("head=4@answer"),
        InlineData("layer=1,order=2,head=0")
    ]
    public void A_part_is_written_as_it_is_read(string text) => Assert.Equal(text, Suppression.Parse(text).ToString());

    [
        Theory,
        InlineData(""),
        InlineData("layer"),
        InlineData("layer=-1"),
        InlineData("layer=1,layer=2"),
        InlineData("all@question"),
        InlineData("gate=1"),
        InlineData("all@prompt@answer")
    ]
    public void What_is_no_part_is_refused(string text) =>
        Assert.Contains("layer=2", Assert.Throws<FormatException>(() => Suppression.Parse(text)).Message);

    [Theory, InlineData("layer=0", "layers 1, 2"), InlineData("order=4", "orders 2, 3"), InlineData("head=2", "heads 0, 1")]
    public void A_part_that_there_is_not_is_refused(string text, string expected)
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => model.Memory!.Suppressed(Suppression.Parse(text))).Message);
    }

    private static float[][] Gathered(MemoryBank memory, int[] ids)
    {
        var rows = new MemoryRows();
        memory.Address(ids, [], 1, rows);
        return
        [
            .. Layers.Select(
                (_, position) =>
                {
                    var store = memory.Tables.Store(position);
                    var values = new float[ids.Length * memory.Columns * store.Width];
                    store.Gather(rows.Layer(position), values);
                    return values;
                }
            ),
        ];
    }

    private static float[] Mean(MemoryBank memory, int position, int column)
    {
        var (store, layer) = (memory.Tables.Store(position), memory.Addresser.Constants.Layers[position]);
        var (from, count) = (layer.Offsets[column], layer.Primes[column / Heads][column % Heads]);
        var values = new float[count * store.Width];
        store.Gather([.. Enumerable.Range(0, (int)count).Select(i => from + i)], values);
        return
        [
            .. Enumerable
                .Range(0, store.Width)
                .Select(i => (float)values.Where((_, at) => at % store.Width == i).Average(value => (double)value)),
        ];
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-6f);
    }

    private static void TensorAssertEqual(Tensor expected, Tensor actual) =>
        Assert.Equal(expected.data<float>().ToArray(), actual.data<float>().ToArray());
}

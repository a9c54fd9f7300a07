using Engram.Evaluation.Losses;
using Engram.Models.Memory;
using Engram.Models.Sampling;
using Engram.Tables;
using Engram.Tables.Cache;
using Engram.Tables.Formats;
using Engram.Tests.Storage;
using Engram.Torch.Generation;
using Engram.Torch.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Memory;

/// <summary>Where the tables of a model live changes no bit of what it computes.</summary>
public sealed class TableLocationTests : IDisposable
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 40).Select(i => i * 37 % 290)];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, bool> Cases()
    {
        var cases = new TheoryData<string, bool>();
        foreach (var place in Places.Keys)
        foreach (var oneRow in new[] { false, true })
            cases.Add(place, oneRow);
        return cases;
    }

    private static Dictionary<string, MemoryOptions> Places { get; } =
        new()
        {
            ["mapped"] = new() { Tables = TableLocation.Mapped },
            ["cached, all rows fit"] = new() { Tables = TableLocation.Cached },
            ["cached, few rows fit"] = new() { Tables = TableLocation.Cached, RowCacheBytes = 4096 },
            ["cached, one row fits"] = new() { Tables = TableLocation.Cached, RowCacheBytes = 1 },
        };

    [Theory, MemberData(nameof(Cases))]
    public void Results_are_the_same_to_the_bit(string place, bool oneRow)
    {
        using (var made = RandomModel.Create(TinyRun.WithMemory(memory => memory with { OneRow = oneRow })))
            made.Save(_folder.File("model"));
        using var model = LanguageModel.Load(_folder.File("model"));
        using var elsewhere = LanguageModel.Load(_folder.File("model"), memory: Places[place]);
        Assert.Equal(Logits(model), Logits(elsewhere));
        foreach (var use in Enum.GetValues<MemoryUse>())
        {
            Assert.Equal(Loss(model, use), Loss(elsewhere, use));
            Assert.Equal(Tokens(model, use), Tokens(elsewhere, use));
        }
    }

    [Fact]
    public void A_cache_serves_what_was_read_before()
    {
        using (var made = RandomModel.Create(TinyRun.Configuration))
            made.Save(_folder.File("model"));
        using var model = LanguageModel.Load(_folder.File("model"), memory: Places["cached, all rows fit"]);
        var cache = Assert.IsType<CachedRowStore>(model.Memory!.Tables.Store(0));
        _ = Logits(model);
        var first = cache.Counts;
        Assert.True(first.Misses > 0);
        _ = Logits(model);
        Assert.Equal(first.Misses, cache.Counts.Misses);
        Assert.True(cache.Counts.Lookups > first.Lookups);
        Assert.True(model.Memory.Tables.Table(0).IsMapped);
    }

    [Theory]
    [InlineData("bfloat16", 1e-2)]
    [InlineData("fp8", 0.2)]
    [InlineData("int8", 2e-2)]
    [InlineData("int4", 0.3)]
    public void Tables_of_other_formats_are_read_wherever_they_live(string name, double tolerance)
    {
        var (folder, format) = (_folder.File("model"), RowFormat.Parse(name));
        using var model = RandomModel.Create(TinyRun.Configuration);
        model.Save(folder);
        using var converted = model.Memory!.InFormat(format);
        for (var position = 0; position < 2; position++)
            converted
                .Tables.Table(position)
                .Save(
                    Path.Combine(folder, TablePaths.Table(model.Memory.LayerIds[position])),
                    TablePaths.Tensor(model.Memory.LayerIds[position])
                );
        var expected = ValidationLoss.Measure(model, TinyCorpus.Shared, 16, 5, converted).Nats;
        var exact = Loss(model, MemoryUse.On);
        Assert.NotEqual(exact, expected);
        Assert.Equal(exact, expected, tolerance);
        foreach (var place in Places.Values.Prepend(new MemoryOptions()))
        {
            using var loaded = LanguageModel.Load(folder, memory: place);
            Assert.Equal(format, loaded.Memory!.Tables.Store(0).Format);
            Assert.Equal(expected, Loss(loaded, MemoryUse.On));
        }
    }

    [Fact]
    public void Quality_is_the_loss_with_converted_tables()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var measured = TableQuality.Measure(model, TinyCorpus.Shared, 16, 5, TableQuality.Formats).ToList();
        Assert.Equal(["float32", "bfloat16", "fp8", "int8", "int4"], measured.Select(quality => quality.Format.ToString()));
        Assert.Equal(Loss(model, MemoryUse.On), measured[0].Loss.Nats);
        Assert.Equal(0, measured[0].Difference);
        Assert.Equal([32, 16, 9, 10, 6], measured.Select(quality => quality.RowBytes));
        var rows = model.Memory!.Tables.Store(0).Rows + model.Memory.Tables.Store(1).Rows;
        Assert.All(measured, quality => Assert.Equal(rows * quality.RowBytes, quality.TableBytes));
        Assert.Equal(5, measured.Select(quality => quality.Loss.Nats).Distinct().Count());
        using var dense = RandomModel.Create(TinyRun.Configuration with { Engram = null });
        Assert.Throws<ArgumentException>(() => TableQuality.Measure(dense, TinyCorpus.Shared, 16, 5, TableQuality.Formats).ToList());
    }

    [Fact]
    public void Formats_that_a_width_does_not_fit_are_refused_before_anything_is_measured()
    {
        using var odd = RandomModel.Create(TinyRun.WithMemory(memory => memory with { HeadDim = 7 }));
        using var measured = TableQuality.Measure(odd, TinyCorpus.Shared, 16, 5, TableQuality.Formats).GetEnumerator();
        Assert.Contains("even number", Assert.Throws<ArgumentOutOfRangeException>(() => measured.MoveNext()).Message);
    }

    [Fact]
    public void Mapped_tables_are_neither_copied_nor_searched()
    {
        using (var made = RandomModel.Create(TinyRun.Configuration))
        {
            made.Memory!.Tables.Table(0).Row(3)[2] = float.NaN;
            made.Save(_folder.File("model"));
        }

        Assert.Throws<InvalidDataException>(() => LanguageModel.Load(_folder.File("model")));
        using var model = LanguageModel.Load(_folder.File("model"), memory: Places["mapped"]);
        Assert.True(model.Memory!.Tables.Table(0).IsMapped);
        Assert.False(model.Memory.Tables.Table(0).IsWritable);
    }

    [Fact]
    public void Rows_outside_memory_are_gathered_when_their_block_asks()
    {
        using (var made = RandomModel.Create(TinyRun.Configuration))
            made.Save(_folder.File("model"));
        using var mapped = LanguageModel.Load(_folder.File("model"), memory: Places["mapped"]);
        var rows = new MemoryRows();
        mapped.Memory!.Address(Ids, [], 2, rows);
        using var later = mapped.Memory.Gather(rows, 0, 2, Ids.Length / 2, CPU, requiresGradient: false);
        using var now = mapped.Memory.Gather(rows, 0, 2, Ids.Length / 2, CPU, requiresGradient: true);
        // The buffer serves another batch before the first is asked for.
        mapped.Memory.Address(Ids.Reverse().ToArray(), [], 2, rows);
        Assert.Null(later.Layer(0));
        foreach (var layer in mapped.Memory.LayerIds)
        {
            Assert.False(later.Layer(layer)!.requires_grad);
            Assert.Equal(now.Layer(layer)!.detach().data<float>().ToArray(), later.Layer(layer)!.data<float>().ToArray());
        }
    }

    [Fact]
    public void Controls_are_functions_of_their_seed_and_differ()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using var random = model.Memory!.WithRandomRows(3);
        using var again = model.Memory.WithRandomRows(3);
        using var other = model.Memory.WithRandomRows(4);
        Assert.Equal(Row(random, 0), Row(again, 0));
        Assert.NotEqual(Row(random, 0), Row(other, 0));
        Assert.NotEqual(Row(random, 0), Row(random, 1));
        Assert.Null(model.Memory.Ablation(MemoryUse.On));
        Assert.Null(model.Memory.Ablation(MemoryUse.Off));
        var uses = Enum.GetValues<MemoryUse>();
        Assert.Equal(uses.Length, uses.Select(use => Loss(model, use)).Distinct().Count());
        Assert.Contains("RandomRows", Assert.Throws<InvalidOperationException>(() => random.Tables.Table(0)).Message);

        static float[] Row(MemoryBank bank, int position)
        {
            var row = new float[bank.Tables.Store(position).Width];
            bank.Tables.Store(position).Gather([17], row);
            return row;
        }
    }

    private static float[] Logits(LanguageModel model)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var memory = model.GatherMemory(Ids, [], 2);
        return model.Transformer.Logits(model.Transformer.Forward(Ids, [], 2, memory).Hidden).data<float>().ToArray();
    }

    private static double Loss(LanguageModel model, MemoryUse use) =>
        model.Under(use, memory => ValidationLoss.Measure(model, TinyCorpus.Shared, 16, 5, memory).Nats);

    private static int[] Tokens(LanguageModel model, MemoryUse use) =>
        model.Under(
            use,
            memory =>
                new TextGenerator(model).Tokens(Ids[..7], new SamplingOptions { Temperature = 0, MaxNewTokens = 12 }, memory).ToArray()
        );
}

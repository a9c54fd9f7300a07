using Engram.Evaluation.Inspection;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Storage;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Inspection;

public sealed class MemoryInspectionTests : IDisposable
{
    private const string Text = "kalo mine tu ra sovi kalo mine tu gan fol tir mesbur naïve 42";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Models =>
        [
            "signed root",
            "sigmoid",
            "no gate",
            "no convolution",
            "one stream, four orders",
            "one row",
            "one fusion",
            "dead positions",
            "the V4.1 variant",
        ];

    [Theory, MemberData(nameof(Models))]
    public void Dump_is_recomputed_from_the_model_folder_in_plain_arithmetic(string name)
    {
        string dump = _folder.File("dump.safetensors"),
            folder = _folder.File("model");
        using (var model = RandomModel.Create(Named(name)))
        {
            model.Save(folder);
            MemoryInspection.Run(model, Text, model.Memory).Dump(dump);
        }

        using var file = SafetensorsFile.Open(dump);
        foreach (var layer in new[] { 1, 2 })
        {
            var oracle = new FusionOracle(folder, layer);
            float[] Dumped(string tensor) => FusionOracle.Values<float>(file, $"layer.{layer}.{tensor}");
            var memory = oracle.Memory(FusionOracle.Values<long>(file, $"layer.{layer}.rows"));
            Assert.Equal(memory, Dumped("memory"));
            var dead = FusionOracle.Values<long>(file, $"layer.{layer}.canonical_ids").Select(id => id < 0).ToArray();
            Assert.Equal(name is "dead positions" or "the V4.1 variant", dead.Contains(true));
            var (gate, output) = oracle.Fuse(memory, Dumped("hidden_in"), dead);
            // Some dozen float32 roundings of values around 1; the signed root steepens those of small scores.
            AssertClose(gate, Dumped("gate"), 2e-5);
            AssertClose(output, Dumped("output"), 2e-5 * output.Max(Math.Abs));
            if (name != "no gate")
                Assert.True(gate.Max() - gate.Min() > 0.3, $"gates from {gate.Min()} to {gate.Max()} prove little");
        }
    }

    [Fact]
    public void Ids_and_rows_are_those_of_tokenizer_map_and_addresser()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var inspection = MemoryInspection.Run(model, Text, model.Memory);
        int[] ids = [0, .. model.Tokenizer.Encode(Text)];
        int[] canonical = [.. ids.Select(id => model.Memory!.Map[id])];
        Assert.Equal(ids, inspection.TokenIds);
        Assert.Equal(canonical, inspection.CanonicalIds);
        Assert.Equal((4, 4, 2), (inspection.Streams, inspection.Columns, inspection.HeadsPerOrder));
        Assert.Equal([2, 3], inspection.Orders);
        Assert.Equal([1, 2], inspection.Layers.Select(layer => layer.Layer));
        for (var position = 0; position < 2; position++)
        {
            var layer = inspection.Layers[position];
            var rows = new long[ids.Length * 4];
            model.Memory!.Addresser.Address(canonical, [], position, rows);
            Assert.Equal(rows, layer.Rows);
            for (var t = 0; t < ids.Length; t++)
            {
                Assert.Equal(rows[(t * 4)..(t * 4 + 2)], inspection.Rows(layer, t, order: 2).ToArray());
                Assert.Equal(rows[(t * 4 + 2)..(t * 4 + 4)], inspection.Rows(layer, t, order: 3).ToArray());
                Assert.Equal(layer.Gate[(t * 4)..(t * 4 + 4)], inspection.Gates(layer, t).ToArray());
                Assert.Equal(layer.Gate[(t * 4)..(t * 4 + 4)].Average(), inspection.MeanGate(layer, t), 1e-6);
            }
        }
    }

    [Fact]
    public void Ngrams_are_the_tokens_of_the_window()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var inspection = MemoryInspection.Run(model, Text, model.Memory);
        Assert.Equal(
            Text,
            string.Concat(Enumerable.Range(1, inspection.TokenIds.Count - 1).Select(inspection.TokenText)).Replace("\uFFFD\uFFFD", "ï")
        );
        Assert.Equal([null, null, inspection.TokenText(0)], inspection.Ngram(0, 3));
        Assert.Equal([null, inspection.TokenText(0), inspection.TokenText(1)], inspection.Ngram(1, 3));
        Assert.Equal([inspection.TokenText(6), inspection.TokenText(7)], inspection.Ngram(7, 2));
    }

    [Fact]
    public void A_document_inside_the_text_begins_anew()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { AttentionDocumentMask = true });
        var (both, second) = (
            MemoryInspection.Run(model, $"mine tu<|endoftext|>{Text}", model.Memory),
            MemoryInspection.Run(model, Text, model.Memory)
        );
        var begins = both.TokenIds.Count - second.TokenIds.Count;
        Assert.Equal(second.TokenIds, both.TokenIds.Skip(begins));
        Assert.Equal([null, null, both.TokenText(begins)], both.Ngram(begins, 3));
        Assert.Equal([null, both.TokenText(begins), both.TokenText(begins + 1)], both.Ngram(begins + 1, 3));
        foreach (var (whole, part) in both.Layers.Zip(second.Layers))
        {
            Assert.Equal(part.Rows, whole.Rows[(begins * 4)..]);
            // Positions are others, and so the roundings of attention's angles.
            AssertClose([.. part.Gate.Select(value => (double)value)], whole.Gate[(begins * 4)..], 1e-3);
            AssertClose([.. part.Output.Select(value => (double)value)], whole.Output[(begins * 256)..], 1e-3 * part.Output.Max(Math.Abs));
        }
    }

    [Fact]
    public void Dead_positions_read_nothing_add_nothing_and_end_windows()
    {
        using var model = RandomModel.Create(Named("dead positions"));
        var inspection = MemoryInspection.Run(model, Text, model.Memory);
        var at = inspection.CanonicalIds.ToList().IndexOf(-1);
        Assert.Equal(Dead[0], inspection.TokenIds[at]);
        Assert.Equal([null, null, null], inspection.Ngram(at, 3));
        Assert.Equal([null, null, inspection.TokenText(at + 1)], inspection.Ngram(at + 1, 3));
        foreach (var layer in inspection.Layers)
        {
            Assert.All(layer.Rows[(at * 4)..(at * 4 + 4)], row => Assert.Equal(-1, row));
            Assert.All(layer.Memory[(at * 32)..(at * 32 + 32)], value => Assert.Equal(0, value));
            Assert.All(layer.Gate[(at * 4)..(at * 4 + 4)], value => Assert.Equal(0, value));
            Assert.All(layer.Output[(at * 256)..(at * 256 + 256)], value => Assert.Equal(0, value));
            Assert.All(layer.Output[(at * 256 + 256)..(at * 256 + 260)], value => Assert.NotEqual(0, value));
        }
    }

    [Fact]
    public void Controls_show_what_they_read()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var on = MemoryInspection.Run(model, Text, model.Memory);
        foreach (var use in new[] { MemoryUse.ShuffledRows, MemoryUse.RandomRows })
        {
            using var bank = model.Memory!.Ablation(use);
            var control = MemoryInspection.Run(model, Text, bank);
            Assert.Equal(on.Layers[0].Rows, control.Layers[0].Rows);
            Assert.NotEqual(on.Layers[0].Memory, control.Layers[0].Memory);
            Assert.Equal(control.Layers[0].Memory, model.Under(use, again => MemoryInspection.Run(model, Text, again)).Layers[0].Memory);
        }

        Assert.Contains("off", Assert.Throws<ArgumentException>(() => MemoryInspection.Run(model, Text, null)).Message);
    }

    [Fact]
    public void Dump_holds_the_documented_tensors()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var inspection = MemoryInspection.Run(model, Text, model.Memory);
        inspection.Dump(_folder.File("dump.safetensors"));
        using var file = SafetensorsFile.Open(_folder.File("dump.safetensors"));
        var t = inspection.TokenIds.Count;
        foreach (var layer in inspection.Layers)
        {
            (string, DType, long[])[] expected =
            [
                ("token_ids", DType.I64, [t]),
                ("canonical_ids", DType.I64, [t]),
                ("rows", DType.I64, [t, 4]),
                ("memory", DType.F32, [t, 32]),
                ("hidden_in", DType.F32, [t, 4, 64]),
                ("gate", DType.F32, [t, 4]),
                ("output", DType.F32, [t, 4, 64]),
            ];
            foreach (var (name, type, shape) in expected)
                file.Require($"layer.{layer.Layer}.{name}", type, shape);
            Assert.Equal(layer.Output, FusionOracle.Values<float>(file, $"layer.{layer.Layer}.output"));
        }

        Assert.Equal(14, file.Tensors.Count);
    }

    [Fact]
    public void Inspection_does_not_disturb_the_model_and_repeats()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var load = model.Transformer.RouterBiases.SelectMany(b => b.Bias.ToArray()).ToArray();
        var (first, again) = (MemoryInspection.Run(model, Text, model.Memory), MemoryInspection.Run(model, Text, model.Memory));
        Assert.Equal(first.Layers[1].Output, again.Layers[1].Output);
        model.Transformer.UpdateRouterBiases();
        Assert.Equal(load, model.Transformer.RouterBiases.SelectMany(b => b.Bias.ToArray()));
        var empty = MemoryInspection.Run(model, "", model.Memory);
        Assert.Equal([0], empty.TokenIds);
    }

    [Fact]
    public void Model_without_memory_and_text_beyond_the_context_are_refused()
    {
        using var dense = RandomModel.Create(TinyRun.Configuration with { Engram = null });
        Assert.Contains(
            "no memory to inspect",
            Assert.Throws<ArgumentException>(() => MemoryInspection.Run(dense, Text, dense.Memory)).Message
        );
        using var narrow = RandomModel.Create(TinyRun.Configuration with { MaxPositionEmbeddings = 8 });
        Assert.Contains(
            "context holds 8",
            Assert.Throws<ArgumentException>(() => MemoryInspection.Run(narrow, Text, narrow.Memory)).Message
        );
    }

    private static int[] Dead { get; } = [.. TinyCorpus.Shared.Tokenizer.Encode(Text).Skip(5).Take(1)];

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < actual.Length; i++)
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= tolerance,
                $"value {i}: {expected[i]} and {actual[i]}, more than {tolerance} apart"
            );
    }

    private static ModelConfiguration Named(string name) =>
        name switch
        {
            "signed root" => TinyRun.Configuration,
            "sigmoid" => TinyRun.WithMemory(memory => memory with { Gate = EngramGate.Sigmoid }),
            "dead positions" => TinyRun.WithMemory(memory => memory with { DeadTokenIds = Dead }),
            "the V4.1 variant" => TinyRun.V41(Dead),
            "no gate" => TinyRun.WithMemory(memory => memory with { Gate = EngramGate.None }),
            "no convolution" => TinyRun.WithMemory(memory => memory with { ConvKernel = 0 }),
            "one stream, four orders" => TinyRun.WithMemory(memory =>
                memory with
                {
                    MaxNgramSize = 5,
                    SlotsPerOrder = [31, 37, 41, 43],
                }
            ) with
            {
                HcMult = 1,
            },
            "one fusion" => TinyRun.WithMemory(memory => memory with { Fusion = FusionPlace.Mixture }),
            "one row" => TinyRun.WithMemory(memory => memory with { OneRow = true }),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
}

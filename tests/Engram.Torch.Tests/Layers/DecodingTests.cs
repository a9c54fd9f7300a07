using Engram.Models.Configuration;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Chunks through states equal the whole sequence at once, whatever the chunks.</summary>
[OneThread]
public class DecodingTests
{
    private const int Start = 36; // the token before documents
    private const int Length = 14; // beyond the reach of the convolution, 9

    private static Dictionary<string, ModelConfiguration> Models { get; } =
        new()
        {
            ["dense"] = TinyModels.Dense,
            ["dense with memory"] = TinyModels.Dense with { Engram = TinyModels.Engram },
            ["memory without convolution"] = TinyModels.Dense with { Engram = TinyModels.Engram with { ConvKernel = 0 } },
            ["everything"] = TinyModels.Full,
            ["everything, low-rank query, extended context"] = TinyModels.Full with
            {
                QLoraRank = 7,
                MaxPositionEmbeddings = 640,
                RopeScaling = new RopeScaling { Factor = 10, OriginalMaxPositionEmbeddings = 64 },
            },
            ["everything, documents in attention"] = TinyModels.Full with { AttentionDocumentMask = true },
            ["everything, unconstrained, one fusion, learnt exit"] = TinyModels.Full with
            {
                HcConstrained = false,
                HcExit = StreamExit.Head,
                Engram = TinyModels.Engram with { Fusion = FusionPlace.Mixture },
            },
            ["everything, memory in the values of attention"] = TinyModels.Full with
            {
                Engram = TinyModels.Engram with { Fusion = FusionPlace.Values, Gate = EngramGate.None, ConvKernel = 0 },
            },
            ["everything, memory in the input embedding"] = TinyModels.Full with
            {
                Engram = TinyModels.Engram with { LayerIds = [0], Fusion = FusionPlace.Input, Gate = EngramGate.None, ConvKernel = 0 },
            },
            ["everything, memory across documents"] = TinyModels.Full with { Engram = TinyModels.Engram with { ResetAtDocuments = false } },
        };

    public static TheoryData<string, int, bool?> Cases()
    {
        var cases = new TheoryData<string, int, bool?>();
        foreach (var model in Models.Keys)
        {
            foreach (var chunk in new[] { 1, 3, Length })
                cases.Add(model, chunk, null);
            cases.Add(model, 3, false);
            cases.Add(model, 3, true);
        }

        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Chunks_equal_the_whole(string name, int chunk, bool? absorbed)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(Models[name] with { BosTokenId = Start }, ScalarType.Float64);
        using var run = Run(model.Configuration, ScalarType.Float64);
        // Float64 with other shapes of the same products: some hundred roundings of 1e-16, through three layers.
        TensorAssert.Close(run.Hidden(model), run.HiddenInChunks(model, chunk, absorbed), 1e-12);
    }

    [Theory, InlineData(1), InlineData(3), InlineData(Length)]
    public void Chunks_equal_the_whole_in_single_precision(int chunk)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(TinyModels.Full with { BosTokenId = Start });
        using var run = Run(model.Configuration, ScalarType.Float32);
        // Kernels against composed forms, and two forms of attention: float32 rounding amplified by the slope of the signed root.
        TensorAssert.Close(run.Hidden(model), run.HiddenInChunks(model, chunk), 1e-4);
    }

    [Fact]
    public void Sequences_side_by_side_do_not_touch_each_other()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(TinyModels.Full with { BosTokenId = Start }, ScalarType.Float64);
        using var run = Run(model.Configuration, ScalarType.Float64);
        var together = run.HiddenInChunks(model, 3);
        foreach (var b in new[] { 0, 1 })
        {
            using var state = model.NewState();
            var parts = new List<Tensor>();
            for (var begin = 0; begin < Length; begin += 3)
            {
                var (from, to) = (b * Length + begin, b * Length + Math.Min(begin + 3, Length));
                using var memory = run.Memory!.Map(TinyModels.Full, rows => rows.narrow(0, b, 1).narrow(1, begin, to - from));
                parts.Add(model.Continue([state], run.Ids.AsSpan(from, to - from), memory));
            }

            TensorAssert.Close(together[b], cat(parts, 0), 1e-12); // float64, products of other shapes
        }
    }

    [Fact]
    public void Forgetting_the_state_changes_the_result()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(TinyModels.Full with { BosTokenId = Start }, ScalarType.Float64);
        using var run = Run(model.Configuration, ScalarType.Float64);
        var whole = run.Hidden(model).narrow(1, 7, 7);
        Assert.InRange((whole - run.HiddenOf(model, 7, Length)).abs().max().item<double>(), 1e-2, 100);
    }

    private static TransformerRun Run(ModelConfiguration configuration, ScalarType type)
    {
        var run = new TransformerRun(configuration, sequences: 2, Length, type);
        run.MarkDocuments(i => i is 0 or 5 or 6 or 14 or 25);
        return run;
    }
}

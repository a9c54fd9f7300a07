using Engram.Models.Configuration;
using Engram.Torch.Tests.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Same seed, same bits.</summary>
public class DeterminismTests
{
    public static TheoryData<int> ThreadCounts => [1, 2];

    [Theory, MemberData(nameof(ThreadCounts))]
    public void Two_runs_give_the_same_bits(int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        // 3 · 50 tokens: more than 64, so that every kernel divides its work, over 37 ids that repeat; the document mask and the balance
        // loss are on.
        var configuration = TinyModels.Full with
        {
            AttentionDocumentMask = true,
            SequenceAuxiliaryLossAlpha = 0.1,
        };
        var (first, second) = (Run(configuration), Run(configuration));
        Assert.Equal(first.Count, second.Count);
        foreach (var (name, bits) in first)
            TensorAssert.BitIdentical(bits, second[name], name);
    }

    [Fact]
    public void Starting_values_depend_on_seed_and_name_alone()
    {
        using var scope = NewDisposeScope();
        using var everything = Initialized(TinyModels.Full, 7);
        using var plain = Initialized(TinyModels.Dense, 7);
        using var wide = Initialized(TinyModels.Full with { NumHiddenLayers = 5, Engram = TinyModels.Engram with { LayerIds = [1] } }, 7);
        var compared = 0;
        foreach (var other in new[] { plain, wide })
        foreach (var parameter in other.Parameters.All)
            if (
                everything.Parameters.All.FirstOrDefault(p =>
                    p.Name == parameter.Name && p.Tensor.shape.SequenceEqual(parameter.Tensor.shape)
                ) is
                { } same
            )
            {
                TensorAssert.BitIdentical(parameter.Tensor, same.Tensor, parameter.Name);
                compared++;
            }

        Assert.True(compared > 50, $"only {compared} parameters are common");
    }

    [Fact]
    public void Both_precisions_start_from_the_same_values()
    {
        using var scope = NewDisposeScope();
        using var single = Initialized(TinyModels.Full, 7);
        using var twice = new EngramTransformer(TinyModels.Full, type: ScalarType.Float64);
        twice.Parameters.Initialize(7);
        foreach (var parameter in single.Parameters.All)
            TensorAssert.BitIdentical(parameter.Tensor.to(ScalarType.Float64), twice.Parameters[parameter.Name].Tensor, parameter.Name);
    }

    [Fact]
    public void Another_seed_gives_other_values_and_the_global_generator_is_left_alone()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var expected = rand(4);
        manual_seed(1);
        using var one = Initialized(TinyModels.Full, 1);
        TensorAssert.BitIdentical(expected, rand(4));
        using var two = Initialized(TinyModels.Full, 2);
        foreach (var parameter in one.Parameters.All.Where(p => p.Initial.Std > 0))
            Assert.NotEqual(parameter.Tensor.Values(), two.Parameters[parameter.Name].Tensor.Values());
    }

    [Fact]
    public void The_seed_of_a_name_never_changes()
    {
        // First eight bytes, little-endian, of the SHA-256 of "<seed>/<name>". Checkpoints do not store seeds: other values would silently
        // make every published run unrepeatable.
        Assert.Equal(0x4d7c96445bf8a15eul, StartingSeed.For(0, "lm_head.weight"));
        Assert.Equal(0xc2fcb6a68eae5a91ul, StartingSeed.For(-3, "model.layers.0.engram.wkv.weight"));
    }

    private static Dictionary<string, Tensor> Run(ModelConfiguration configuration)
    {
        using var model = TinyModels.Build(configuration);
        using var run = new TransformerRun(configuration, 3, 50) { Starts = [.. Enumerable.Range(0, 150).Select(i => i % 17 == 0)] };
        var (hidden, auxiliary) = model.Forward(run.Ids, run.Starts, 3, run.Memory, training: true);
        var loss = model.Loss(hidden, Sample.Ids(3, 150, configuration.VocabularySize)) + auxiliary!;
        loss.backward();
        model.UpdateRouterBiases();
        var results = new Dictionary<string, Tensor> { ["hidden"] = hidden, ["loss"] = loss };
        foreach (var parameter in model.Parameters.All)
            results.Add(parameter.Name, parameter.Tensor.grad!.clone());
        foreach (var layer in configuration.Engram!.LayerIds)
            results.Add($"rows of layer {layer}", run.Memory!.Layer(layer)!.grad!.clone());
        foreach (var (name, bias) in model.RouterBiases)
            results.Add(name, tensor(bias.ToArray()));
        return results;
    }

    private static EngramTransformer Initialized(ModelConfiguration configuration, long seed)
    {
        var model = new EngramTransformer(configuration);
        model.Parameters.Initialize(seed);
        return model;
    }
}

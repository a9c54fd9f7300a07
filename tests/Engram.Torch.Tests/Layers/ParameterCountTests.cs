using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Torch.Layers;

namespace Engram.Torch.Tests.Layers;

/// <summary>What a built model holds is what its plan says without building it.</summary>
[OneThread]
public class ParameterCountTests
{
    private static Dictionary<string, ModelConfiguration> Variants { get; } =
        new()
        {
            ["tiny"] = Presets.Load("tiny"),
            ["tiny-dense"] = Presets.Load("tiny-dense"),
            ["tiny-engram"] = Presets.Load("tiny-engram"),
            ["one stream"] = Presets.Load("tiny-engram") with { HcMult = 1 },
            ["low-rank query"] = Presets.Load("tiny") with { QLoraRank = 24 },
            ["tied"] = Presets.Load("tiny") with { TieWordEmbeddings = true },
            ["shared width"] = Presets.Load("tiny") with { SharedExpertIntermediateSize = 40 },
            ["no shared expert"] = Presets.Load("tiny") with { NSharedExperts = 0 },
            ["unconstrained streams"] = Presets.Load("tiny-engram") with { HcConstrained = false },
            ["learnt exit"] = Presets.Load("tiny-engram") with { HcExit = StreamExit.Head },
            ["one fusion"] = Memory(engram => engram with { Fusion = FusionPlace.Mixture }),
            ["one fusion, no gate"] = Memory(engram => engram with { Fusion = FusionPlace.Mixture, Gate = EngramGate.None }),
            ["no gate"] = Memory(engram => engram with { Gate = EngramGate.None }),
            ["no convolution"] = Memory(engram => engram with { ConvKernel = 0 }),
            ["biases"] = Memory(engram => engram with { ProjectionBias = true }),
            ["values of attention"] = Memory(engram => engram with { Fusion = FusionPlace.Values, Gate = EngramGate.None, ConvKernel = 0 }),
            ["input embedding"] = Memory(engram =>
                engram with
                {
                    LayerIds = [0],
                    Fusion = FusionPlace.Input,
                    Gate = EngramGate.None,
                    ConvKernel = 0,
                    Hash = HashScheme.Polynomial,
                }
            ),
            ["single tokens"] = Memory(engram => engram with { MinNgramSize = 1, MaxNgramSize = 1, SlotsPerOrder = [512] }),
            ["three orders"] = Memory(engram => engram with { MaxNgramSize = 4, SlotsPerOrder = [61, 61, 71] }),
        };

    public static TheoryData<string> Names => [.. Variants.Keys];

    [Theory, MemberData(nameof(Names))]
    public void A_built_model_and_its_tables_hold_the_planned_number(string name)
    {
        var plan = ModelPlan.Of(Variants[name]);
        using var model = new EngramTransformer(Variants[name]);
        Assert.Equal(plan.StoredParameters, model.Parameters.Count + plan.MemoryParameters);
    }

    [Theory, InlineData("tiny", 4, 369_048), InlineData("tiny", 1, 319_680), InlineData("tiny-dense", 4, 256_920)]
    public void Built_tiny_models_have_the_exact_size(string preset, int streams, long expected)
    {
        using var model = new EngramTransformer(Presets.Load(preset) with { HcMult = streams });
        Assert.Equal(expected, model.Parameters.Count);
        Assert.Equal(expected, model.Parameters.All.Sum(p => p.Tensor.shape.Aggregate(1L, (product, size) => product * size)));
    }

    [Fact]
    public void Names_are_unique_and_row_blocks_cover_their_matrix()
    {
        using var model = new EngramTransformer(Presets.Load("tiny-engram"));
        var all = model.Parameters.All;
        Assert.Equal(all.Count, all.Select(p => p.Name).Distinct().Count());
        foreach (var parameter in all)
        {
            Assert.Same(parameter, model.Parameters[parameter.Name]);
            if (parameter.RowBlocks.Count > 0)
                Assert.Equal(parameter.Tensor.shape[^2], parameter.RowBlocks.Sum());
            Assert.Equal(parameter.Role is ParameterRole.Vocabulary, parameter.Name is "model.embed_tokens.weight" or "lm_head.weight");
        }

        Assert.Contains("'nothing'", Assert.Throws<KeyNotFoundException>(() => model.Parameters["nothing"]).Message);
    }

    private static ModelConfiguration Memory(Func<EngramConfiguration, EngramConfiguration> change)
    {
        var preset = Presets.Load("tiny-engram");
        return preset with { Engram = change(preset.Engram!) };
    }
}

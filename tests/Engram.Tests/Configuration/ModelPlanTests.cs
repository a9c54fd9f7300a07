using System.Text.Json;
using Engram.Models.Configuration;
using Engram.Tests.Package;

namespace Engram.Tests.Configuration;

public sealed class ModelPlanTests
{
    [Theory]
    [InlineData("dense-4b", 3_802_571_860, 4_133_528_660, 4_464_485_460, 3_802_571_860)]
    [InlineData("moe-27b", 26_386_379_860, 26_717_336_660, 27_048_293_460, 3_807_917_140)]
    [InlineData("engram-27b", 26_394_703_060, 26_725_659_860, 27_056_616_660, 3_839_568_980)]
    [InlineData("engram-40b", 39_136_675_860, 39_467_632_660, 39_798_589_460, 3_839_568_980)]
    public void PaperModels_Counts_AreThePublishedOnes(string preset, long without, long one, long both, long active)
    {
        ModelPlan plan = ModelPlan.Of(Presets.Load(preset));
        Assert.Equal(
            (without, one, both, active),
            (plan.TotalWithoutVocabulary, plan.TotalParameters, plan.TotalWithBoth, plan.ActiveParameters)
        );
        Assert.Equal(without - active, plan.SparseParameters);
        Assert.Equal(active + 330_956_800, plan.ActiveWithOne);
        Assert.Equal(both, plan.StoredParameters);
    }

    [Theory]
    [InlineData("mhc-3b", 2_641_975_176, 2_972_931_976, 612_325_256)]
    [InlineData("mhc-9b", 8_682_020_172, 9_178_455_372, 1_660_656_972)]
    [InlineData("moe-27b", 26_386_379_860, 27_048_293_460, 4_138_873_940)]
    public void MhcFamily_Counts_MatchThePrintedSizes(string preset, long without, long both, long activeWithOne)
    {
        ModelPlan plan = ModelPlan.Of(Presets.Load(preset));
        Assert.Equal((without, both, activeWithOne), (plan.TotalWithoutVocabulary, plan.TotalWithBoth, plan.ActiveWithOne));
    }

    [Fact]
    public void Tiny_Counts_AreExact()
    {
        ModelConfiguration tiny = Presets.Load("tiny");
        ModelPlan plan = ModelPlan.Of(tiny),
            plain = ModelPlan.Of(tiny with { HcMult = 1 }),
            dense = ModelPlan.Of(Presets.Load("tiny-dense"));
        Assert.Equal((303_512, 369_048, 192_920), (plan.TotalWithoutVocabulary, plan.TotalWithBoth, plan.ActiveParameters));
        Assert.Equal((254_144, 319_680), (plain.TotalWithoutVocabulary, plain.TotalWithBoth));
        Assert.Equal((191_384, 256_920), (dense.TotalWithoutVocabulary, dense.TotalWithBoth));
    }

    [Fact]
    public void Components_AtThe27BShape_AreTheFormulasOfEachPart()
    {
        ModelConfiguration model = Presets.Load("engram-27b");
        Dictionary<string, PlanComponent> parts = ModelPlan.Of(model).Components.ToDictionary(part => part.Name);
        Assert.Equal(30 * 31_883_776L, parts["attention"].Parameters);
        Assert.Equal(60 * 245_787L, parts["hyper-connections"].Parameters);
        Assert.Equal(94_371_840, parts["dense feed-forward"].Parameters);
        Assert.Equal(29 * 2 * 11_796_480L, parts["shared experts"].Parameters);
        Assert.Equal(29 * 55 * 11_796_480L, parts["routed experts"].Parameters);
        Assert.Equal(29 * 6 * 11_796_480L, parts["routed experts"].ActiveParameters);
        Assert.Equal(29 * 140_800L, parts["router"].Parameters);
        Assert.Equal(29 * 184_320L, ModelPlan.Of(Presets.Load("moe-27b")).Components.Single(part => part.Name == "router").Parameters);
        Assert.Equal(61 * 2560L, parts["norms"].Parameters);
        Assert.Equal(2 * 16_455_680L, parts["memory fusion"].Parameters);
        Assert.Equal(5_792_338_560, parts["memory tables"].Parameters);
        Assert.Equal(2 * 16 * 80L, parts["memory tables"].ActiveParameters);
    }

    [Fact]
    public void Tables_OfThePaperModels_HaveTheirPrimeRows()
    {
        ModelPlan small = ModelPlan.Of(Presets.Load("engram-27b")),
            large = ModelPlan.Of(Presets.Load("engram-40b"));
        Assert.Equal([36_199_972, 36_204_260], small.TableRows);
        Assert.Equal([115_837_464, 115_841_428], large.TableRows);
        Assert.Equal((5_792_338_560, 18_534_311_360), (small.MemoryParameters, large.MemoryParameters));
        Assert.Equal(2560, small.MemoryValuesPerToken);
    }

    [Fact]
    public void AllocationRatio_IsTheRoutedShareOfTheSparseBudget()
    {
        double ratio = ModelPlan.Of(Presets.Load("engram-27b")).AllocationRatio!.Value;
        Assert.Equal(1.0 - (5_792_338_560.0 / (66L * 29 * 11_796_480)), ratio, 12);
        Assert.Equal(0.7435, ratio, 4);
        Assert.Equal(1.0, ModelPlan.Of(Presets.Load("moe-27b")).AllocationRatio);
        Assert.Null(ModelPlan.Of(Presets.Load("dense-4b")).AllocationRatio);
        ModelConfiguration engram = Presets.Load("tiny-engram");
        Assert.Equal(0.0, ModelPlan.Of(engram with { NumExpertsPerToken = engram.NRoutedExperts }).AllocationRatio);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Streams_ChangeTheCountByTheirClosedForm(int streams)
    {
        ModelConfiguration model = Presets.Load("tiny-engram");
        long maps = streams == 1 ? 0 : 8 * ((((2L * streams) + (streams * streams)) * ((streams * 64) + 1)) + 3);
        long fusion = 2 * (((1 + streams) * 32L * 64) + (2 * streams * 64) + (4 * streams * 64) + (streams * 64));
        long rest = ModelPlan.Of(model with { HcMult = 1, Engram = null }).TotalWithoutVocabulary;
        ModelPlan plan = ModelPlan.Of(model with { HcMult = streams });
        Assert.Equal(rest + maps + fusion + plan.MemoryParameters, plan.TotalWithoutVocabulary);
    }

    [Fact]
    public void QueryRank_ChangesTheCountByItsClosedForm()
    {
        ModelConfiguration model = Presets.Load("moe-27b");
        long full = 2560L * 32 * 192,
            ranked = (1536L * (2560 + (32 * 192))) + 1536;
        Assert.Equal(
            30 * (ranked - full),
            ModelPlan.Of(model with { QLoraRank = 1536 }).TotalWithoutVocabulary - ModelPlan.Of(model).TotalWithoutVocabulary
        );
    }

    [Fact]
    public void Tying_ChangesOnlyWhatIsStored()
    {
        ModelConfiguration model = Presets.Load("tiny");
        ModelPlan untied = ModelPlan.Of(model),
            tied = ModelPlan.Of(model with { TieWordEmbeddings = true });
        Assert.Equal(512 * 64, untied.StoredParameters - tied.StoredParameters);
        Assert.Equal(untied.TotalParameters, tied.TotalParameters);
    }

    [Fact]
    public void Fusion_WithoutGateOrConvolution_LosesTheirWeights()
    {
        ModelConfiguration model = Presets.Load("tiny-engram");
        long Total(EngramConfiguration memory) => ModelPlan.Of(model with { Engram = memory }).TotalWithoutVocabulary;
        EngramConfiguration memory = model.Engram!;
        Assert.Equal(2 * ((4 * 32 * 64) + (2 * 4 * 64)), Total(memory) - Total(memory with { Gate = EngramGate.None }));
        Assert.Equal(2 * ((4 * 4 * 64) + (4 * 64)), Total(memory) - Total(memory with { ConvKernel = 0 }));
    }

    [Fact]
    public void Variants_ChangeTheCountByTheirClosedForm()
    {
        ModelConfiguration model = Presets.Load("engram-27b");
        long Added(ModelConfiguration variant) => ModelPlan.Of(variant).TotalWithoutVocabulary - ModelPlan.Of(model).TotalWithoutVocabulary;
        Assert.Equal(40_965, Added(model with { HcExit = StreamExit.Head }));
        Assert.Equal(60 * (((2 + 4) * 2560) + 24 + 2 - 245_787), Added(model with { HcConstrained = false }));
        // One key instead of four, and gains and taps of one stream.
        Assert.Equal(
            -2 * 3 * 2560 * (1280 + 2 + 4 + 1),
            Added(model with { Engram = model.Engram! with { Fusion = FusionPlace.Mixture } })
        );
        Assert.Equal(0, Added(model with { Engram = model.Engram! with { CompressVocabulary = false, CompressedVocabularySize = 0 } }));
    }

    /// <summary>The ablation with 4-grams: three orders share what two had, rows as wide as before.</summary>
    [Fact]
    public void ExtraOrder_WithTwoThirdsOfTheSlots_KeepsTheTableBudget()
    {
        ModelConfiguration model = Presets.Load("engram-27b");
        long slots = model.Engram!.SlotsPerOrder[0] * 2 / 3;
        ModelPlan plan = ModelPlan.Of(
            model with
            {
                Engram = model.Engram with { MaxNgramSize = 4, SlotsPerOrder = [slots, slots, slots], ConvDilation = 4 },
            }
        );
        // eight more primes per layer, a little above the nominal size
        Assert.InRange(plan.MemoryParameters / 5_792_338_560.0, 0.9998, 1.0002);
    }

    [Fact]
    public void OneRow_KeepsWhatATokenTouches()
    {
        ModelPlan many = ModelPlan.Of(Presets.Load("quickstart-engram")),
            one = ModelPlan.Of(Presets.Load("quickstart-engram-one-row"));
        Assert.Equal(many.ActiveParameters, one.ActiveParameters);
        Assert.Equal(many.FlopsPerToken, one.FlopsPerToken);
        Assert.Equal([8], one.TableRows);
        Assert.Equal(64, one.MemoryParameters);
    }

    [Fact]
    public void Arithmetic_OfAHandCountedModel_IsTwoPerWeightAndAttention()
    {
        ModelConfiguration model = new()
        {
            VocabularySize = 10,
            HiddenSize = 4,
            NumHiddenLayers = 2,
            NumAttentionHeads = 1,
            KvLoraRank = 3,
            QkNopeHeadDim = 2,
            QkRopeHeadDim = 2,
            VHeadDim = 2,
            IntermediateSize = 5,
            MaxPositionEmbeddings = 100,
        };
        ModelPlan plan = ModelPlan.Of(model, contextLength: 7);
        // Per layer: query 4·4, latent 4·5, keys and values 3·4, output 2·4, feed-forward 3·4·5; then the output matrix 10·4.
        Assert.Equal(2 * ((2 * (16 + 20 + 12 + 8 + 60)) + 40) + plan.AttentionFlopsPerToken, plan.FlopsPerToken);
        Assert.Equal(2 * 2 * (4 + 2) * 7, plan.AttentionFlopsPerToken);
        Assert.Equal(3 * plan.FlopsPerToken, plan.TrainingFlopsPerToken);
        // What training speed is measured in: the same without attention.
        Assert.Equal(6 * ((2 * (16 + 20 + 12 + 8 + 60)) + 40), ModelPlan.Of(model, contextLength: 0).TrainingFlopsPerToken);
        Assert.Equal((10, 20), (plan.KvCacheValuesPerToken, plan.KvCacheBytesPerToken));
        Assert.Throws<ArgumentException>(() => ModelPlan.Of(model, contextLength: 101));
    }

    [Fact]
    public void KvCache_AtTheTargetShape_Is576NumbersPerLayer() =>
        Assert.Equal(30 * 576, ModelPlan.Of(Presets.Load("engram-27b")).KvCacheValuesPerToken);

    [Fact]
    public void PublishedDeepSeekV3_Counts_671BAnd37B()
    {
        ModelConfiguration model = ModelConfiguration.Parse(PublishedConfigurations.DeepSeekV3, "config.json");
        ModelPlan plan = ModelPlan.Of(model);
        Assert.Equal(671.0, Math.Round(plan.TotalWithBoth / 1e9, 1));
        Assert.Equal(37.0, Math.Round(plan.ActiveWithOne / 1e9));
    }

    [Fact]
    public void LargestShape_IsCountedWithoutOverflow()
    {
        ModelConfiguration model = new()
        {
            VocabularySize = 1 << 29,
            HiddenSize = 1 << 16,
            NumHiddenLayers = 1024,
            NumAttentionHeads = 1024,
            KvLoraRank = 1 << 16,
            QLoraRank = 1 << 16,
            QkNopeHeadDim = 8192,
            QkRopeHeadDim = 8192,
            VHeadDim = 8192,
            MoeIntermediateSize = 1 << 18,
            NRoutedExperts = 4096,
            NumExpertsPerToken = 4096,
            NSharedExperts = 1,
            SharedExpertIntermediateSize = 1 << 20,
            MaxPositionEmbeddings = 1 << 24,
            HcMult = 16,
            Engram = new()
            {
                LayerIds = [.. Enumerable.Range(0, 4)],
                MaxNgramSize = 2,
                NHeads = 256,
                HeadDim = 8192,
                SlotsPerOrder = [int.MaxValue],
            },
        };
        ModelPlan plan = ModelPlan.Of(model);
        Assert.True(plan.TrainingFlopsPerToken > 1L << 60);
        Assert.All(plan.RowFormats, format => Assert.True(format.TableBytes > 0));
    }

    [Fact]
    public void Json_CarriesTheDocumentedKeys()
    {
        using JsonDocument json = JsonDocument.Parse(ModelPlan.Of(Presets.Load("engram-27b")).ToJson());
        Assert.Equal(26_725_659_860, json.RootElement.GetProperty("total_parameters").GetInt64());
        Assert.Equal(3_839_568_980, json.RootElement.GetProperty("active_parameters").GetInt64());
        Assert.Equal(22_555_134_080, json.RootElement.GetProperty("sparse_parameters").GetInt64());
        Assert.Equal(5_792_338_560, json.RootElement.GetProperty("memory_parameters").GetInt64());
        Assert.Equal(0.7435, json.RootElement.GetProperty("allocation_ratio").GetDouble(), 4);
        string guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));
        Assert.All(json.RootElement.EnumerateObject(), key => Assert.Contains($"`{key.Name}`", guide));
    }
}

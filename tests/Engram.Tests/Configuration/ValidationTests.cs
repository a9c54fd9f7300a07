using Engram.Addressing;
using Engram.Models.Configuration;

namespace Engram.Tests.Configuration;

public sealed class ValidationTests
{
    private static readonly ModelConfiguration Model = Presets.Load("tiny-engram");

    public static TheoryData<string, string, Func<ModelConfiguration, ModelConfiguration>> Faults { get; } =
        new()
        {
            { "vocab_size", "0", model => model with { VocabularySize = 0 } },
            { "hidden_size", "-1", model => model with { HiddenSize = -1 } },
            { "num_hidden_layers", "2000000000", model => model with { NumHiddenLayers = 2_000_000_000 } },
            { "num_attention_heads", "0", model => model with { NumAttentionHeads = 0 } },
            { "qk_rope_head_dim", "7", model => model with { QkRopeHeadDim = 7 } },
            { "q_lora_rank", "0", model => model with { QLoraRank = 0 } },
            { "intermediate_size", "0", model => model with { IntermediateSize = 0 } },
            { "moe_intermediate_size", "0", model => model with { MoeIntermediateSize = 0 } },
            { "num_experts_per_tok", "7", model => model with { NumExpertsPerToken = 7 } },
            { "n_group", "4", model => model with { NGroup = 4 } },
            { "n_group", "6", model => model with { NGroup = 6, TopkGroup = 6 } },
            { "topk_group", "1", model => model with { NGroup = 3, NumExpertsPerToken = 3 } },
            { "first_k_dense_replace", "5", model => model with { FirstKDenseReplace = 5 } },
            { "rope_theta", "NaN", model => model with { RopeTheta = double.NaN } },
            { "rms_norm_eps", "0", model => model with { RmsNormEps = 0 } },
            { "embedding_scale", "-1", model => model with { EmbeddingScale = -1 } },
            { "eos_token_id", "512", model => model with { EosTokenId = 512 } },
            { "hc_mult", "0", model => model with { HcMult = 0 } },
            { "hc_constrained", "false", model => model with { HcMult = 1, HcConstrained = false } },
            { "hc_exit", "7", model => model with { HcExit = (StreamExit)7 } },
            { "hc_exit", "head", model => model with { HcMult = 1, HcExit = StreamExit.Head } },
            { "engram_fusion", "7", model => model with { Engram = model.Engram! with { Fusion = (FusionPlace)7 } } },
            {
                "engram_fusion",
                "mixture",
                model => model with { HcMult = 1, Engram = model.Engram! with { Fusion = FusionPlace.Mixture } }
            },
            { "engram_min_ngram_size", "0", model => model with { Engram = model.Engram! with { MinNgramSize = 0 } } },
            { "engram_max_ngram_size", "3", model => model with { Engram = model.Engram! with { MinNgramSize = 4 } } },
            { "engram_hash", "7", model => model with { Engram = model.Engram! with { Hash = (HashScheme)7 } } },
            { "engram_gate", "SignedSqrt", model => model with { Engram = model.Engram! with { Fusion = FusionPlace.Values } } },
            {
                "engram_conv_kernel",
                "4",
                model => model with { Engram = model.Engram! with { Fusion = FusionPlace.Input, Gate = EngramGate.None } }
            },
            {
                "engram_layer_ids",
                "a list of 2",
                model => model with { Engram = model.Engram! with { Fusion = FusionPlace.Input, Gate = EngramGate.None, ConvKernel = 0 } }
            },
            { "scoring_func", "9", model => model with { ScoringFunction = (ScoringFunction)9 } },
            { "rope_scaling.factor", "0.5", model => model with { RopeScaling = new() { Factor = 0.5 } } },
            {
                "rope_scaling.beta_fast",
                "0.5",
                model =>
                    model with
                    {
                        RopeScaling = new() { Factor = 2, BetaFast = 0.5 },
                    }
            },
            { "engram_max_ngram_size", "1", model => model with { Engram = model.Engram! with { MaxNgramSize = 1 } } },
            { "engram_n_heads", "0", model => model with { Engram = model.Engram! with { NHeads = 0 } } },
            {
                "engram_layer_ids",
                "a list of 4",
                model => model with { Engram = model.Engram! with { LayerIds = [0, 1, 2, 3], NHeads = 256, MaxNgramSize = 4 } }
            },
            { "engram_layer_ids", "-1", model => model with { Engram = model.Engram! with { LayerIds = [-1] } } },
            { "engram_layer_ids", "a list with 1 after 1", model => model with { Engram = model.Engram! with { LayerIds = [1, 1] } } },
            { "engram_slots_per_order", "a list of 1", model => model with { Engram = model.Engram! with { SlotsPerOrder = [61] } } },
            { "engram_slots_per_order", "1", model => model with { Engram = model.Engram! with { SlotsPerOrder = [61, 1] } } },
            { "engram_pad_token_id", "512", model => model with { Engram = model.Engram! with { PadTokenId = 512 } } },
            {
                "engram_compressed_vocab_size",
                "513",
                model => model with { Engram = model.Engram! with { CompressedVocabularySize = 513 } }
            },
            { "engram_seed", "-1", model => model with { Engram = model.Engram! with { Seed = -1 } } },
            { "engram_gate", "7", model => model with { Engram = model.Engram! with { Gate = (EngramGate)7 } } },
            { "engram_conv_dilation", "0", model => model with { Engram = model.Engram! with { ConvDilation = 0 } } },
            { "engram_norm_eps", "1E-20", model => model with { Engram = model.Engram! with { NormEps = 1e-20 } } },
            { "engram_norm_eps", "null", model => model with { RmsNormEps = 1e-20, Engram = model.Engram! with { NormEps = null } } },
            { "engram_tables", "2", model => model with { Engram = model.Engram! with { Tables = (EngramTables)2 } } },
            { "engram_table_init_std", "0", model => model with { Engram = model.Engram! with { Tables = EngramTables.Frozen } } },
            { "engram_dead_token_ids", "512", model => model with { Engram = model.Engram! with { DeadTokenIds = [3, 512] } } },
            { "engram_table_init_std", "-1", model => model with { Engram = model.Engram! with { TableInitStd = -1 } } },
        };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Fault_IsNamedWithItsValueAndRemedy(string key, string value, Func<ModelConfiguration, ModelConfiguration> fault)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => fault(Model).Validated());
        Assert.StartsWith($"{key} is {value}; ", error.Message);
        Assert.Throws<ArgumentException>(() => ModelPlan.Of(fault(Model)));
    }

    [Fact]
    public void DenseModel_NeedsNoExpertValues() =>
        (Presets.Load("tiny-dense") with { NumExpertsPerToken = 8, MoeIntermediateSize = 0, NGroup = 8, TopkGroup = 4 }).Validated();
}

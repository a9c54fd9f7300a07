using System.Text;
using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Tests.Package;

namespace Engram.Tests.Configuration;

public sealed class ModelConfigurationTests
{
    [Fact]
    public void Memory_IsFlatInTheFile()
    {
        JsonObject keys = JsonNode.Parse(Presets.Load("engram-27b").ToJson())!.AsObject();
        Assert.False(keys.ContainsKey("engram"));
        Assert.Equal("[1,14]", keys["engram_layer_ids"]!.ToJsonString());
        Assert.Equal("[36199972,36204260]", keys["engram_num_embeddings"]!.ToJsonString());
        Assert.Equal("engram_mla", (string?)keys["model_type"]);
        Assert.Equal("mhc", (string?)keys["residual"]);
        Assert.Null(Read(Presets.Load("moe-27b").ToJson()).Engram);
    }

    [Fact]
    public void RowsPerLayer_ThatDisagreeWithTheirPrimes_AreRefused()
    {
        string json = Presets.Load("engram-27b").ToJson();
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Read(json.Replace("36204260", "36204261")));
        Assert.Contains("engram_num_embeddings", error.Message);
        Assert.Contains("36204260", error.Message);
        Assert.Contains("36204261", error.Message);
    }

    [Fact]
    public void PublishedFile_IsReadWithItsMeaning()
    {
        ModelConfiguration model = ModelConfiguration.Parse(PublishedConfigurations.DeepSeekV3, "config.json");
        Assert.Equal(
            (7168, 61, 128, 256, 8),
            (model.HiddenSize, model.NumHiddenLayers, model.NumAttentionHeads, model.NRoutedExperts, model.NumExpertsPerToken)
        );
        Assert.Equal(
            (8, 4, 3, 1536, 0.001),
            (model.NGroup, model.TopkGroup, model.FirstKDenseReplace, model.QLoraRank, model.SequenceAuxiliaryLossAlpha)
        );
        Assert.Equal(new RopeScaling { Factor = 40 }, model.RopeScaling);
        Assert.Equal((58, ResidualConnection.Plain, ScoringFunction.Sigmoid), (model.MoeLayers, model.Residual, model.ScoringFunction));
        Assert.False(model.IsMoeLayer(2));
        Assert.True(model.IsMoeLayer(3));
    }

    [Fact]
    public void PlainModel_IsWrittenUnderTheNameThatTransformersKnows()
    {
        JsonObject keys = JsonNode.Parse(ModelConfiguration.Parse(PublishedConfigurations.DeepSeekV3, "config.json").ToJson())!.AsObject();
        Assert.Equal("deepseek_v3", (string?)keys["model_type"]);
        Assert.Equal("DeepseekV3ForCausalLM", (string?)keys["architectures"]![0]);
        Assert.Equal(
            (128, "noaux_tc", "yarn"),
            ((int)keys["num_key_value_heads"]!, (string?)keys["topk_method"], (string?)keys["rope_scaling"]!["type"])
        );
        Assert.Equal("deepseek_v3", Dialect(Presets.Load("tiny-dense") with { HcMult = 1 }));
        Assert.Equal("engram_mla", Dialect(Presets.Load("tiny-dense")));
        Assert.Equal("engram_mla", Dialect(Presets.Load("quickstart-moe") with { HcMult = 1 }));
        Assert.Equal("engram_mla", Dialect(Presets.Load("tiny") with { HcMult = 1, SharedExpertIntermediateSize = 48 }));

        static string? Dialect(ModelConfiguration model) => (string?)JsonNode.Parse(model.ToJson())!["model_type"];
    }

    [Fact]
    public void NewerNames_MeanTheSame()
    {
        ModelConfiguration tiny = Presets.Load("tiny");
        JsonObject keys = JsonNode.Parse(tiny.ToJson())!.AsObject();
        keys.Remove("rope_theta");
        keys.Remove("rope_scaling");
        keys["rope_parameters"] = JsonNode.Parse("""{"rope_type": "default", "rope_theta": 5000.0}""");
        Assert.Equal(tiny with { RopeTheta = 5000.0 }, Read(keys.ToJsonString()));
        keys["rope_parameters"] = JsonNode.Parse(
            """{"rope_type": "yarn", "rope_theta": 5000.0, "factor": 10, "mscale": 0.707, "mscale_all_dim": 0.707}"""
        );
        Assert.Equal(
            tiny with
            {
                RopeTheta = 5000.0,
                RopeScaling = new()
                {
                    Factor = 10,
                    Mscale = 0.707,
                    MscaleAllDim = 0.707,
                },
            },
            Read(keys.ToJsonString())
        );
    }

    [Fact]
    public void OneSlotCountForAllOrders_IsReadAsDeepSeekV41WritesIt()
    {
        JsonObject keys = JsonNode.Parse(Presets.Load("tiny-engram").ToJson())!.AsObject();
        keys.Remove("engram_slots_per_order");
        Assert.Equal(61, (int)keys["engram_vocab_size"]!);
        Assert.Equal(Presets.Load("tiny-engram"), Read(keys.ToJsonString()));
        ModelConfiguration unequal = Presets.Load("tiny-engram");
        unequal = unequal with { Engram = unequal.Engram! with { SlotsPerOrder = [61, 67] } };
        Assert.DoesNotContain("engram_vocab_size", unequal.ToJson());
        Assert.Equal(unequal, Read(unequal.ToJson()));
    }

    [Theory]
    [InlineData("hiden_size", "64", "hiden_size")]
    [InlineData("engram_layers", "[1]", "engram_layers")]
    [InlineData("engram", "{}", "engram")]
    [InlineData("attention_bias", "true", "attention_bias is true")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act")]
    [InlineData("topk_method", "\"greedy\"", "topk_method")]
    [InlineData("moe_layer_freq", "2", "moe_layer_freq")]
    [InlineData("num_key_value_heads", "1", "num_key_value_heads")]
    [InlineData("residual", "\"plain\"", "residual")]
    [InlineData("model_type", "\"llama\"", "model_type")]
    [InlineData("scoring_func", "\"tanh\"", "scoring_func is \"tanh\"; it must be sigmoid, softmax or sqrtsoftplus.")]
    [InlineData("hidden_size", "\"64\"", "hidden_size is \"64\"; it must be a whole number.")]
    [InlineData("hidden_size", "64.5", "hidden_size is 64.5; it must be a whole number.")]
    [InlineData("hidden_size", "99999999999", "hidden_size is 99999999999; it must be a whole number.")]
    [InlineData("hidden_size", "null", "hidden_size is null; it must be a whole number.")]
    [InlineData("q_lora_rank", "true", "q_lora_rank is true; it must be a whole number or null.")]
    [InlineData("norm_topk_prob", "1", "norm_topk_prob is 1; it must be true or false.")]
    [InlineData("embedding_scale", "[]", "embedding_scale is []; it must be a number.")]
    [InlineData("rope_scaling", "5", "rope_scaling is 5; it must be an object or null.")]
    [InlineData("rope_parameters", "5", "rope_parameters is 5; it must be an object.")]
    [InlineData("engram_gate", "null", "engram_gate is null; it must be signed_sqrt, copysign_sqrt, sigmoid or none.")]
    [InlineData("engram_fusion", "\"sum\"", "engram_fusion is \"sum\"; it must be streams, mixture, values or input.")]
    [InlineData("engram_hash", "\"md5\"", "engram_hash is \"md5\"; it must be multiplicative_xor or polynomial.")]
    [InlineData("engram_compress_vocabulary", "1", "engram_compress_vocabulary is 1; it must be true or false.")]
    [InlineData("hc_exit", "null", "hc_exit is null; it must be mean or head.")]
    [InlineData("hc_constrained", "false", "residual is \"mhc\"; this model computes \"hc\" only.")]
    [InlineData("engram_norm_eps", "\"tiny\"", "engram_norm_eps is \"tiny\"; it must be a number or null.")]
    [InlineData("engram_tables", "\"thawed\"", "engram_tables is \"thawed\"; it must be trained or frozen.")]
    [InlineData("engram_dead_token_ids", "7", "engram_dead_token_ids is 7; it must be a list of whole numbers.")]
    [InlineData("engram_vocab_size", "62", "engram_vocab_size is 62, but engram_slots_per_order is [61, 61]; remove one of them.")]
    [InlineData("engram_seed", "-0.5", "engram_seed is -0.5; it must be a whole number.")]
    [InlineData("engram_slots_per_order", """["a", 1]""", "engram_slots_per_order is [\"a\",1]; it must be a list of whole numbers.")]
    [InlineData("rms_norm_eps", "1e999", "rms_norm_eps")]
    [InlineData("rope_scaling", """{"type": "linear", "factor": 2}""", "rope_scaling.type")]
    [InlineData("rope_scaling", """{"type": "yarn", "factor": 2, "mscale": 1, "mscale_all_dim": 0.5}""", "rope_scaling.mscale_all_dim")]
    [InlineData("rope_scaling", """{"type": "yarn", "factor": 2, "speed": 1}""", "unknown key 'rope_scaling.speed'")]
    [InlineData("rope_scaling", """{"type": "yarn", "factor": "2"}""", "rope_scaling.factor is \"2\"; it must be a number.")]
    [InlineData("rope_scaling", """{"type": "yarn"}""", "rope_scaling.factor is missing")]
    [InlineData("engram_layer_ids", "null", "engram_layer_ids is null; it must be a list of whole numbers.")]
    [InlineData("engram_layer_ids", "[2, 1]", "engram_layer_ids is a list with 1 after 2")]
    [InlineData("engram_layer_ids", "[4]", "engram_layer_ids is 4")]
    [InlineData("engram_layer_ids", "[]", "engram_layer_ids")]
    public void BadValue_IsOneErrorThatNamesFileAndKey(string key, string value, string named)
    {
        JsonObject keys = JsonNode.Parse(Presets.Load("tiny-engram").ToJson())!.AsObject();
        keys[key] = JsonNode.Parse(value);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Read(keys.ToJsonString()));
        Assert.StartsWith("config.json: ", error.Message);
        Assert.Contains(named, error.Message);
    }

    [Theory]
    [InlineData("vocab_size")]
    [InlineData("kv_lora_rank")]
    [InlineData("engram_head_dim")]
    [InlineData("engram_slots_per_order")]
    public void MissingKey_IsNamed(string key)
    {
        JsonObject keys = JsonNode.Parse(Presets.Load("tiny-engram").ToJson())!.AsObject();
        keys.Remove("engram_vocab_size"); // says the same as the slots per order
        keys.Remove(key);
        Assert.Contains(key, Assert.Throws<InvalidDataException>(() => Read(keys.ToJsonString())).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("""{"vocab_size": 1, "vocab_size": 2}""")]
    [InlineData("""{"a": [[[[[[[[[[1]]]]]]]]]]}""")]
    public void TextThatIsNoConfiguration_IsRefused(string text) => Assert.Throws<InvalidDataException>(() => Read(text));

    [Fact]
    public void File_IsReplacedWholeAndReadBack()
    {
        string folder = Directory.CreateTempSubdirectory("engram-configuration").FullName;
        try
        {
            string path = Path.Combine(folder, "config.json");
            Presets.Load("tiny").Save(path);
            Presets.Load("tiny-engram").Save(path);
            Assert.Equal(Presets.Load("tiny-engram"), ModelConfiguration.Load(path));
            Assert.Throws<ArgumentException>(() => (Presets.Load("tiny") with { HiddenSize = 0 }).Save(path));
            Assert.Equal(Presets.Load("tiny-engram"), ModelConfiguration.Load(path));
            Assert.Equal([path], Directory.GetFiles(folder));
            File.WriteAllBytes(path, new byte[(1 << 20) + 1]);
            Assert.Contains(path, Assert.Throws<InvalidDataException>(() => ModelConfiguration.Load(path)).Message);
            string absent = Path.Combine(folder, "absent.json");
            Assert.Contains(absent, Assert.Throws<FileNotFoundException>(() => ModelConfiguration.Load(absent)).Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void RealNumbers_CarryAPoint()
    {
        string json = Presets.Load("tiny").ToJson();
        Assert.Contains("\"routed_scaling_factor\": 1.0,", json);
        Assert.Contains("\"rope_theta\": 10000.0,", json);
        Assert.Contains("\"attention_dropout\": 0.0,", json);
        Assert.Contains("\"rms_norm_eps\": 1E-06,", json);
    }

    [Fact]
    public void Equality_ComparesListsByTheirElements()
    {
        EngramConfiguration memory = Presets.Load("tiny-engram").Engram!,
            same = memory with { LayerIds = [.. memory.LayerIds] };
        Assert.Equal(memory, same);
        Assert.Equal(memory.GetHashCode(), same.GetHashCode());
        Assert.NotEqual(memory, memory with { LayerIds = [1, 3] });
    }

    [Fact]
    public void Dilation_IsTheLargestOrderUnlessSet()
    {
        EngramConfiguration memory = new()
        {
            LayerIds = [0],
            MaxNgramSize = 4,
            NHeads = 1,
            HeadDim = 1,
            SlotsPerOrder = [2, 2, 2],
        };
        Assert.Equal(4, memory.ConvDilation);
        Assert.Equal(2, (memory with { ConvDilation = 2 }).ConvDilation);
    }

    [Fact]
    public void Variants_AreReadBackAsTheyWereWritten()
    {
        ModelConfiguration model = Presets.Load("tiny-engram");
        model = model with
        {
            HcConstrained = false,
            HcExit = StreamExit.Head,
            Engram = model.Engram! with
            {
                CompressVocabulary = false,
                Fusion = FusionPlace.Mixture,
                MaxNgramSize = 4,
                SlotsPerOrder = [41, 41, 43],
            },
        };
        JsonObject keys = JsonNode.Parse(model.ToJson())!.AsObject();
        Assert.Equal(("hc", "head", "mixture"), ((string?)keys["residual"], (string?)keys["hc_exit"], (string?)keys["engram_fusion"]));
        Assert.Equal((false, false), ((bool)keys["hc_constrained"]!, (bool)keys["engram_compress_vocabulary"]!));
        Assert.Equal(model, Read(model.ToJson()));
    }

    [Fact]
    public void Guide_NamesEveryKeyAndPreset()
    {
        string guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));
        string written = (
            Presets.Load("engram-27b") with
            {
                SharedExpertIntermediateSize = 1,
                RopeScaling = new() { Factor = 10 },
            }
        ).ToJson();
        JsonObject keys = JsonNode.Parse(written)!.AsObject();
        Assert.All(
            keys.Concat(keys["rope_scaling"]!.AsObject()).Select(pair => pair.Key).Concat(ConfigurationFile.Ignored),
            key => Assert.Contains($"`{key}`", guide)
        );
        Assert.All(
            Presets.Names,
            name => Assert.True(guide.Contains($"`{name}`") || guide.Contains($"`{name[name.IndexOf('-')..]}`"), name)
        );
    }

    private static ModelConfiguration Read(string json) => ModelConfiguration.Parse(Encoding.UTF8.GetBytes(json), "config.json");
}

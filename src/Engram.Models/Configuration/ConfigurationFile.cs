using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Engram.Addressing;

namespace Engram.Models.Configuration;

/// <summary>
/// Between the record and <c>config.json</c>: the keys of the memory lie flat in the file, keys that other programs expect are added when
/// writing, and when reading they are checked to mean what this model computes.
/// </summary>
internal static class ConfigurationFile
{
    /// <summary>Largest file that is read; a real one has two kilobytes.</summary>
    public const int MostBytes = 1 << 20;

    private const string MemoryRows = "engram_num_embeddings";
    private const string SlotsPerOrder = "engram_slots_per_order";
    private const string OneSlotCount = "engram_vocab_size";

    /// <summary>Standard Hugging Face keys that say nothing about the arithmetic, or what the tensor files themselves state.</summary>
    internal static readonly IReadOnlyList<string> Ignored =
    [
        "_name_or_path",
        "architectures",
        "auto_map",
        "dtype",
        "ep_size",
        "head_dim",
        "num_nextn_predict_layers",
        "pretraining_tp",
        "qk_head_dim",
        "quantization_config",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    ];

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 8, AllowDuplicateProperties = false };
    private static readonly JsonTypeInfo<ModelConfiguration> ModelType = ConfigurationJson.Default.ModelConfiguration;
    private static readonly JsonTypeInfo<EngramConfiguration> MemoryType = ConfigurationJson.Default.EngramConfiguration;
    private static readonly JsonTypeInfo<RopeScaling> RopeType = ConfigurationJson.Default.RopeScaling;
    private static readonly HashSet<string> ModelKeys =
    [
        .. ModelType.Properties.Select(property => property.Name).Where(name => name != "engram"),
    ];
    private static readonly HashSet<string> MemoryKeys = [.. MemoryType.Properties.Select(property => property.Name)];

    /// <summary>Keys of DeepSeek-V3 whose value the rest of the configuration, or what this model computes, determines.</summary>
    private static readonly Dictionary<string, Func<ModelConfiguration, JsonNode>> Settled = new()
    {
        ["num_key_value_heads"] = model => model.NumAttentionHeads,
        ["hidden_act"] = _ => "silu",
        ["attention_bias"] = _ => false,
        ["attention_dropout"] = _ => JsonNode.Parse("0.0")!,
        ["rope_interleave"] = _ => true,
        ["topk_method"] = _ => "noaux_tc",
        ["moe_layer_freq"] = _ => 1,
        ["seq_aux"] = _ => true,
        ["residual"] = model =>
            model.Residual switch
            {
                ResidualConnection.Plain => "plain",
                ResidualConnection.Mhc => "mhc",
                _ => "hc",
            },
    };

    private static readonly JsonWriterOptions Readable = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static ModelConfiguration Read(ReadOnlySpan<byte> utf8, string source)
    {
        if (utf8.Length > MostBytes)
            throw new InvalidDataException($"{source}: {utf8.Length} bytes is too large for a model configuration (at most {MostBytes}).");
        try
        {
            CheckText(utf8);
            if (JsonNode.Parse(utf8, documentOptions: Strict) is not JsonObject keys)
                throw new InvalidDataException($"{source}: a model configuration is a JSON object of keys and values.");
            return Read(keys);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{source}: {error.Message}", error);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{source}: {error.Message}", error);
        }
    }

    private static ModelConfiguration Read(JsonObject keys)
    {
        JsonNode? rows = Take(keys, MemoryRows),
            slots = Take(keys, OneSlotCount);
        foreach (string key in Ignored)
            keys.Remove(key);
        AcceptNewerNames(keys);
        if (slots is not null && !keys.ContainsKey(SlotsPerOrder))
            keys[SlotsPerOrder] = SlotsOfAllOrders(slots, keys);
        JsonObject settled = TakeSettled(keys);
        JsonObject memory = [];
        foreach (string key in keys.Select(pair => pair.Key).ToArray())
        {
            if (MemoryKeys.Contains(key))
                memory[key] = Take(keys, key);
            else if (!ModelKeys.Contains(key))
                throw new ArgumentException(
                    $"unknown key '{key}'; correct its spelling or remove it (docs/configuration.md lists the keys)."
                );
        }
        FillIn(keys, ConfigurationDefaults.Model, ModelType);
        if (keys["rope_scaling"] is JsonObject scaling)
            FillIn(scaling, ConfigurationDefaults.Rope, RopeType, "rope_scaling.");
        if (memory.Count > 0)
        {
            int orders = memory["engram_max_ngram_size"] is JsonValue size && size.TryGetValue(out int largest) ? largest : 0;
            FillIn(memory, ConfigurationDefaults.Memory with { MaxNgramSize = orders }, MemoryType);
            keys["engram"] = memory;
        }
        ModelConfiguration model = Deserialize(keys).Validated();
        CheckSettled(settled, model);
        if (rows is not null)
            CheckRows(rows, model);
        if (slots is not null)
            CheckSlots(slots, model);
        return model;
    }

    /// <summary>
    /// The configuration with other values of some keys. Keys that follow from others (rows of tables, names of the architecture) are
    /// derived anew.
    /// </summary>
    public static ModelConfiguration Change(ModelConfiguration model, JsonObject changes)
    {
        JsonObject keys = JsonSerializer.SerializeToNode(model, ModelType)!.AsObject();
        if (keys["rope_scaling"] is JsonObject scaling)
            scaling["type"] = "yarn";
        if (Take(keys, "engram") is JsonObject memory)
            MoveAll(memory, keys);
        if (changes.ContainsKey(OneSlotCount))
            keys.Remove(SlotsPerOrder);
        foreach ((string key, JsonNode? value) in changes)
            keys[key] = value?.DeepClone();
        return Read(keys);
    }

    public static byte[] Write(ModelConfiguration model)
    {
        JsonObject values = JsonSerializer.SerializeToNode(model, ModelType)!.AsObject();
        JsonObject keys = new() { ["architectures"] = new JsonArray(Architecture(model)), ["model_type"] = Dialect(model) };
        MoveAll(values, keys);
        foreach ((string key, Func<ModelConfiguration, JsonNode> value) in Settled)
            keys[key] = value(model);
        if (keys["rope_scaling"] is JsonObject scaling)
            scaling["type"] = "yarn";
        if (Take(keys, "engram") is JsonObject memory)
        {
            MoveAll(memory, keys);
            keys[MemoryRows] = Rows(model);
            if (model.Engram!.SlotsPerOrder.Distinct().ToArray() is [var slots])
                keys[OneSlotCount] = slots;
        }
        using MemoryStream utf8 = new();
        using (Utf8JsonWriter writer = new(utf8, Readable))
            keys.WriteTo(writer);
        utf8.WriteByte((byte)'\n');
        return utf8.ToArray();
    }

    /// <summary>What transformers can load unchanged is called by its name there; everything else by a name it refuses.</summary>
    private static string Dialect(ModelConfiguration model)
    {
        bool experts =
            model is { MoeLayers: > 0, NSharedExperts: > 0, ScoringFunction: ScoringFunction.Sigmoid }
            && model.SharedExpertWidth == model.NSharedExperts * model.MoeIntermediateSize;
        bool dense = model.FirstKDenseReplace == model.NumHiddenLayers;
        return model is { Engram: null, HcMult: 1, EmbeddingScale: 1.0 } && (experts || dense) ? "deepseek_v3" : "engram_mla";
    }

    private static string Architecture(ModelConfiguration model) =>
        Dialect(model) == "deepseek_v3" ? "DeepseekV3ForCausalLM" : "EngramForCausalLM";

    private static ModelConfiguration Deserialize(JsonObject keys)
    {
        try
        {
            return keys.Deserialize(ModelType)!;
        }
        catch (JsonException error)
        {
            throw new ArgumentException(WrongKind(keys, (error.Path ?? "$").Split('.', '[')), error);
        }
    }

    /// <summary>Says which key holds a value of the wrong kind, and what kind it wants.</summary>
    /// <param name="keys">The whole configuration, the memory nested.</param>
    /// <param name="path">Steps from the root to the value: the root itself, then one key or two, then perhaps an index.</param>
    private static string WrongKind(JsonObject keys, string[] path)
    {
        JsonNode? value = keys;
        JsonTypeInfo type = ModelType;
        string name = "";
        foreach (string step in path.Skip(1))
        {
            if (value is not JsonObject level || type.Properties.FirstOrDefault(property => property.Name == step) is not { } property)
                return type == RopeType
                    ? $"unknown key 'rope_scaling.{step}'; correct its spelling or remove it."
                    : $"{name} holds a value of the wrong kind.";
            value = level[step];
            name = type == RopeType ? "rope_scaling." + step : step;
            if (property.PropertyType == typeof(EngramConfiguration))
                type = MemoryType;
            else if (step == "rope_scaling" && value is JsonObject)
                type = RopeType;
            else
                return $"{name} is {Shortened(value)}; it must be {Kind(property.PropertyType)}.";
        }
        return "a model configuration is a JSON object of keys and values.";
    }

    private static string Kind(Type type) =>
        type == typeof(int) || type == typeof(long) ? "a whole number"
        : type == typeof(int?) ? "a whole number or null"
        : type == typeof(double) ? "a number"
        : type == typeof(double?) ? "a number or null"
        : type == typeof(bool) ? "true or false"
        : type == typeof(ScoringFunction) ? "sigmoid, softmax or sqrtsoftplus"
        : type == typeof(EngramGate) ? "signed_sqrt, copysign_sqrt, sigmoid or none"
        : type == typeof(EngramTables) ? "trained or frozen"
        : type == typeof(FusionPlace) ? "streams, mixture, values or input"
        : type == typeof(HashScheme) ? "multiplicative_xor or polynomial"
        : type == typeof(StreamExit) ? "mean or head"
        : type == typeof(RopeScaling) ? "an object or null"
        : "a list of whole numbers";

    private static string Shortened(JsonNode? value)
    {
        string text = value?.ToJsonString() ?? "null";
        return text.Length <= 80 ? text : text[..80] + "…";
    }

    /// <summary>
    /// Text that is no Unicode surfaces in the middle of other work as the exception of a programming error: find it first.
    /// </summary>
    private static void CheckText(ReadOnlySpan<byte> utf8)
    {
        Utf8JsonReader reader = new(utf8, new JsonReaderOptions { MaxDepth = Strict.MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.PropertyName or JsonTokenType.String))
                continue;
            try
            {
                _ = reader.GetString();
            }
            catch (InvalidOperationException error)
            {
                throw new ArgumentException($"the text at byte {reader.TokenStartIndex} is not valid Unicode.", error);
            }
        }
    }

    /// <summary>
    /// Generated readers ignore the initial values of init properties, so the defaults of absent keys are filled in before reading.
    /// </summary>
    private static void FillIn<T>(JsonObject keys, T defaults, JsonTypeInfo<T> type, string within = "")
    {
        JsonObject values = JsonSerializer.SerializeToNode(defaults, type)!.AsObject();
        foreach (JsonPropertyInfo property in type.Properties)
        {
            if (keys.ContainsKey(property.Name))
                continue;
            if (property.IsRequired)
                throw new ArgumentException($"{within}{property.Name} is missing; it has no default.");
            if (values.ContainsKey(property.Name))
                keys[property.Name] = Take(values, property.Name);
        }
    }

    private static JsonObject TakeSettled(JsonObject keys)
    {
        if (
            keys.ContainsKey("model_type")
            && Take(keys, "model_type") is var type
            && type?.ToString() is not ("engram_mla" or "deepseek_v3")
        )
            throw new ArgumentException($"model_type is {Shortened(type)}; only engram_mla and deepseek_v3 can be read.");
        JsonObject settled = [];
        foreach (string key in Settled.Keys.Where(keys.ContainsKey))
            settled[key] = Take(keys, key);
        return settled;
    }

    private static void CheckSettled(JsonObject settled, ModelConfiguration model)
    {
        foreach ((string key, JsonNode? given) in settled)
        {
            JsonNode value = Settled[key](model);
            if (!JsonNode.DeepEquals(given, value))
                throw new ArgumentException($"{key} is {Shortened(given)}; this model computes {value.ToJsonString()} only.");
        }
    }

    /// <summary>The number of rows follows from the primes; a file that states another was made by different addressing.</summary>
    private static void CheckRows(JsonNode stated, ModelConfiguration model)
    {
        if (model.Engram is null)
            throw new ArgumentException($"{MemoryRows} is {Shortened(stated)}, but there are no other engram_ keys; remove it.");
        JsonArray derived = Rows(model);
        if (!JsonNode.DeepEquals(stated, derived))
            throw new ArgumentException(
                $"{MemoryRows} is {Shortened(stated)}, but the primes of this configuration sum to {Shortened(derived)}."
            );
    }

    private static JsonArray Rows(ModelConfiguration model) => new([.. model.Engram!.NumEmbeddings.Select(rows => (JsonNode)rows)]);

    /// <summary>rope_parameters is what newer transformers writes.</summary>
    private static void AcceptNewerNames(JsonObject keys)
    {
        if (Take(keys, "rope_parameters") is { } parameters)
        {
            JsonObject rope =
                parameters as JsonObject
                ?? throw new ArgumentException($"rope_parameters is {Shortened(parameters)}; it must be an object.");
            if (Take(rope, "rope_theta") is { } theta)
                keys["rope_theta"] = theta;
            if (rope["rope_type"] is JsonValue type && type.ToString() == "default")
                rope.Clear();
            keys["rope_scaling"] = rope.Count == 0 ? null : rope;
        }
        if (keys["rope_scaling"] is JsonObject scaling)
        {
            JsonNode? type = Take(scaling, "rope_type") ?? Take(scaling, "type");
            scaling.Remove("type");
            if (type?.ToString() != "yarn")
                throw new ArgumentException($"rope_scaling.type is {Shortened(type)}; only yarn is supported.");
        }
    }

    /// <summary>One count for all orders, as DeepSeek-V4.1 writes it.</summary>
    private static JsonArray SlotsOfAllOrders(JsonNode slots, JsonObject keys)
    {
        int smallest =
            keys["engram_min_ngram_size"] is JsonValue least && least.TryGetValue(out int given) && given is >= 1 and <= 8 ? given : 2;
        int orders =
            keys["engram_max_ngram_size"] is JsonValue size && size.TryGetValue(out int largest) && largest >= smallest && largest <= 8
                ? largest - smallest + 1
                : 1;
        return new JsonArray([.. Enumerable.Range(0, orders).Select(_ => slots.DeepClone())]);
    }

    private static void CheckSlots(JsonNode stated, ModelConfiguration model)
    {
        if (model.Engram is not { } memory)
            throw new ArgumentException($"{OneSlotCount} is {Shortened(stated)}, but there are no other engram_ keys; remove it.");
        if (memory.SlotsPerOrder.Any(slots => !JsonNode.DeepEquals(stated, slots)))
            throw new ArgumentException(
                $"{OneSlotCount} is {Shortened(stated)}, but {SlotsPerOrder} is [{string.Join(", ", memory.SlotsPerOrder)}]; remove "
                    + "one of them."
            );
    }

    private static JsonNode? Take(JsonObject keys, string key) => keys.Remove(key, out JsonNode? value) ? value : null;

    private static void MoveAll(JsonObject from, JsonObject to)
    {
        foreach (string key in from.Select(pair => pair.Key).ToArray())
            to[key] = Take(from, key);
    }
}

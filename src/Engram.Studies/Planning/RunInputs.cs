using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Corpora.World;
using Engram.Models.Configuration;
using Engram.Training;

namespace Engram.Studies.Planning;

/// <summary>
/// The hash of everything that decides about a trained model and what is measured of it: configuration, recipe, seed, data, validation,
/// and where the tables lie, which decides about times. Values that are their type's defaults are left out, so that a new key with a
/// default changes no hash, and neither does the program's version, the number of threads, or how often checkpoints are written.
/// </summary>
internal static class RunInputs
{
    private const int HashLetters = 16;

    private static readonly string[] WithoutEffect = ["threads", "validate_every", "checkpoint_every", "keep_checkpoints"];

    private static readonly JsonObject NoConfiguration = JsonNode
        .Parse(
            new ModelConfiguration
            {
                VocabularySize = 2,
                HiddenSize = 2,
                IntermediateSize = 1,
                NumHiddenLayers = 1,
                NumAttentionHeads = 1,
                KvLoraRank = 1,
                QkNopeHeadDim = 1,
                QkRopeHeadDim = 2,
                VHeadDim = 1,
                Engram = new EngramConfiguration
                {
                    LayerIds = [0],
                    MaxNgramSize = 2,
                    NHeads = 1,
                    HeadDim = 1,
                    SlotsPerOrder = [2],
                    PadTokenId = 1,
                },
            }.ToJson()
        )!
        .AsObject();

    private static readonly JsonObject NoTraining = JsonNode.Parse(new TrainingOptions { Steps = 1 }.ToJson())!.AsObject();

    /// <summary>What the hash is taken over, readable.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="options">The training.</param>
    /// <param name="data">What the ids come from, as <see cref="DataIdentity"/> names it.</param>
    public static JsonObject Describe(ModelConfiguration configuration, TrainingOptions options, string data) =>
        new()
        {
            ["configuration"] = Less(JsonNode.Parse(configuration.ToJson())!.AsObject(), NoConfiguration, []),
            ["training"] = Less(JsonNode.Parse(options.ToJson())!.AsObject(), NoTraining, WithoutEffect),
            ["data"] = data,
        };

    /// <summary>The same of a planned run; of one that begins with another run's model, the hash of that one is a part.</summary>
    /// <param name="run">The run.</param>
    /// <param name="data">What the ids come from.</param>
    public static JsonObject Describe(PlannedRun run, string data)
    {
        var described = Describe(run.Configuration, run.Options, data);
        if (run.Start is { } start)
            described["start"] = Hash(Describe(start, data));
        return described;
    }

    /// <summary>The hash that names the run's model, and stands in its rows.</summary>
    /// <param name="run">The run.</param>
    /// <param name="data">What the ids come from.</param>
    public static string Of(PlannedRun run, string data) => Hash(Describe(run, data));

    /// <summary>The hash in rows that compare a run's model with that of its study's reference.</summary>
    /// <param name="run">The run; it has a reference.</param>
    /// <param name="data">What the ids of both come from.</param>
    public static string OfPair(PlannedRun run, string data) =>
        Hash(new JsonObject { ["run"] = Of(run, data), ["reference"] = Of(run.Reference!, data) });

    /// <summary>
    /// The hash in rows of the questions about a synthetic world: other questions are asked anew, of the model that there is.
    /// </summary>
    /// <param name="model">The hash that names the run's model.</param>
    public static string OfQuestions(string model) => Hash(new JsonObject { ["run"] = model, ["questions"] = WorldQuestions.Version });

    /// <summary>The hash, 16 hexadecimal digits of SHA-256.</summary>
    public static string Hash(JsonObject described) =>
        Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes(described.ToJsonString(new JsonSerializerOptions { WriteIndented = false })))
        )[..HashLetters];

    /// <summary>The name of a text as it is tokenized.</summary>
    public static string DataIdentity(string fingerprint, int vocabularySize) => $"{fingerprint}/{vocabularySize}";

    private static JsonObject Less(JsonObject values, JsonObject defaults, string[] without)
    {
        var kept = new JsonObject();
        foreach (var (key, value) in values.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            if (!without.Contains(key) && !(defaults.ContainsKey(key) && JsonNode.DeepEquals(value, defaults[key])))
                kept[key] = value?.DeepClone();
        return kept;
    }
}

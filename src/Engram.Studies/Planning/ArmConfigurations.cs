using System.Text;
using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Studies.Definitions;

namespace Engram.Studies.Planning;

/// <summary>
/// The configurations of a study's arms at one size. What an arm is to have in common with another one is reached through what the paper
/// varies: the width of the shared
/// expert pays for active parameters, the slots of the tables (or the number of routed experts) for the total.
/// </summary>
/// <param name="study">The arms.</param>
/// <param name="size">Their bases.</param>
/// <param name="vocabularySize">Ids of the corpus.</param>
internal sealed class ArmConfigurations(Study study, StudySize size, int vocabularySize)
{
    private const string Experts = "n_routed_experts",
        SlotsKey = "engram_slots_per_order";
    private const int MostSlots = 1 << 28;

    // Written for other readers; they follow from the other keys.
    private static readonly string[] Derived =
    [
        "engram_num_embeddings",
        "engram_vocab_size",
        "residual",
        "num_key_value_heads",
        "model_type",
        "architectures",
    ];

    private readonly Dictionary<string, ModelConfiguration> _done = [];
    private readonly HashSet<string> _open = [];

    /// <summary>The configuration of an arm.</summary>
    /// <exception cref="InvalidDataException">The definition contradicts itself, or what is to be equal cannot be reached.</exception>
    public ModelConfiguration Of(string name)
    {
        if (_done.TryGetValue(name, out var done))
            return done;
        var arm = study.Arms.SingleOrDefault(arm => arm.Name == name) ?? throw Bad(name, "there is no such arm");
        if (!_open.Add(name))
            throw Bad(name, "it is to be equal to itself");
        return _done[name] = Build(arm);
    }

    private ModelConfiguration Build(StudyArm arm)
    {
        var keys = Keys(arm.Base);
        Change(keys, study.Changes);
        if (arm.Rho is { } rho)
            keys[Experts] = ExpertsAt(rho);
        Change(keys, arm.Changes);
        // Arms without a memory share the study's changes with those that have one.
        if (!keys.ContainsKey("engram_layer_ids"))
            foreach (var key in keys.Select(entry => entry.Key).Where(key => key.StartsWith("engram_", StringComparison.Ordinal)).ToList())
                keys.Remove(key);
        if (arm.Slots is { } factor)
            SetSlots(keys, (long)Math.Round(keys[SlotsKey]!.AsArray()[0]!.GetValue<long>() * factor));
        var configuration = Parse(keys, arm.Name);
        if (arm.EqualMemory is { } memory)
            configuration = WithMemory(configuration, arm.Name, ModelPlan.Of(Of(memory)).MemoryParameters);
        if (arm.EqualActive is { } active)
            configuration = WithActive(configuration, arm.Name, ModelPlan.Of(Of(active)).ActiveParameters);
        if (arm.EqualTotal is { } total)
            configuration = WithTotal(configuration, arm.Name, ModelPlan.Of(Of(total)).TotalWithoutVocabulary);
        return configuration;
    }

    private JsonObject Keys(string model)
    {
        var found =
            size.Models.TryGetValue(model, out var known) ? known
            : Presets.Names.Contains(model) ? new BaseModel(model, [])
            : throw new InvalidDataException($"{study.Name}: the size {size.Name} has no model '{model}', and there is no such preset.");
        var keys = JsonNode.Parse(Presets.Load(found.Preset).ToJson())!.AsObject();
        foreach (var key in Derived)
            keys.Remove(key);
        Change(keys, found.Changes);
        keys["vocab_size"] = vocabularySize;
        return keys;
    }

    private int ExpertsAt(double rho)
    {
        var keys = Keys("moe");
        Change(keys, study.Changes);
        var (all, chosen) = (keys[Experts]!.GetValue<int>(), keys["num_experts_per_tok"]!.GetValue<int>());
        return chosen + (int)Math.Round(rho * (all - chosen), MidpointRounding.AwayFromZero);
    }

    private ModelConfiguration WithActive(ModelConfiguration model, string arm, long target)
    {
        var dense = model.MoeLayers == 0;
        ModelConfiguration Wide(int width) =>
            dense ? model with { IntermediateSize = width } : model with { SharedExpertIntermediateSize = width };
        var (one, two) = (ModelPlan.Of(Wide(1)).ActiveParameters, ModelPlan.Of(Wide(2)).ActiveParameters);
        var best = 1 + Math.Round((double)(target - one) / (two - one), MidpointRounding.AwayFromZero);
        return best >= 1 ? Wide((int)best) : throw Bad(arm, $"{target} active parameters are fewer than it needs without a shared expert");
    }

    private ModelConfiguration WithTotal(ModelConfiguration model, string arm, long target) =>
        model.Engram is null
            ? Nearest(
                experts => model with { NRoutedExperts = experts },
                plan => plan.TotalWithoutVocabulary,
                model.NumExpertsPerToken,
                1 << 20,
                target,
                arm
            )
            : Nearest(slots => WithSlots(model, slots), plan => plan.TotalWithoutVocabulary, 2, MostSlots, target, arm);

    private ModelConfiguration WithMemory(ModelConfiguration model, string arm, long target) =>
        model.Engram is null
            ? throw Bad(arm, "it is to have a table as large as another arm's, and has none")
            : Nearest(slots => WithSlots(model, slots), plan => plan.MemoryParameters, 2, MostSlots, target, arm);

    private static ModelConfiguration WithSlots(ModelConfiguration model, int slots) =>
        model with
        {
            Engram = model.Engram! with { SlotsPerOrder = [.. model.Engram.SlotsPerOrder.Select(_ => (long)slots)] },
        };

    private ModelConfiguration Nearest(
        Func<int, ModelConfiguration> at,
        Func<ModelPlan, long> counted,
        int low,
        int most,
        long target,
        string arm
    )
    {
        long Total(int value) => counted(ModelPlan.Of(at(value)));
        var least = low;
        if (Total(low) > target)
            throw Bad(arm, $"the {target} parameters that it is to reach are fewer than it has with the smallest tables");
        // Doubling first: the plan of a huge table costs time.
        var high = low + 1;
        while (high < most && Total(high) < target)
            high = Math.Min(most, high * 2);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            if (Total(middle) >= target)
                high = middle;
            else
                low = middle + 1;
        }
        return at(low == least || Total(low) - target <= target - Total(low - 1) ? low : low - 1);
    }

    private static void SetSlots(JsonObject keys, long slots) =>
        keys[SlotsKey] = new JsonArray([.. keys[SlotsKey]!.AsArray().Select(_ => (JsonNode)slots)]);

    private static void Change(JsonObject keys, JsonObject changes)
    {
        foreach (var (key, value) in changes)
            keys[key] = value?.DeepClone();
        foreach (var (key, value) in changes)
            if (value is null)
                keys.Remove(key);
    }

    private ModelConfiguration Parse(JsonObject keys, string arm) =>
        ModelConfiguration.Parse(Encoding.UTF8.GetBytes(keys.ToJsonString()), $"study {study.Name}, arm {arm}");

    private InvalidDataException Bad(string arm, string why) => new($"The study {study.Name} at size {size.Name}: the arm {arm}: {why}.");
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Recipes;
using Engram.Models.Sampling;
using Engram.Training;

namespace Engram.Studies.Quickstart;

/// <summary>One model of the quickstart.</summary>
/// <param name="Name">As in results, folders and tables.</param>
/// <param name="Preset">Its configuration, one of <see cref="Presets"/>.</param>
/// <param name="Color">Of its curves, in hex.</param>
/// <param name="Description">What it is there for.</param>
public sealed record QuickstartArm(string Name, string Preset, string Color, string Description)
{
    /// <summary>Its configuration.</summary>
    internal ModelConfiguration Configuration => Presets.Load(Preset);
}

/// <summary>The quickstart as data: what is trained, on what, how, and which arms are compared.</summary>
public sealed record QuickstartStudy
{
    /// <summary>Dense model.</summary>
    public const string Dense = "dense";

    /// <summary>Mixture of experts.</summary>
    public const string Moe = "moe";

    /// <summary>Mixture of few experts.</summary>
    public const string MoeFew = "moe-few";

    /// <summary>Experts and memory.</summary>
    public const string Engram = "engram";

    /// <summary>The same with a table of one row per head.</summary>
    public const string OneRow = "engram-one-row";

    /// <summary>
    /// Differences of one seed below this many nats are not told apart: the largest difference seen between two runs of one and the same
    /// model
    /// of this size when the study was designed (another seed, other starting values, one expert more or less).
    /// </summary>
    public const double NoiseNats = 0.035;

    /// <summary>The study that <c>engram quickstart</c> runs.</summary>
    public static QuickstartStudy Default { get; } =
        new()
        {
            Source = CorpusSource.DotnetDocs,
            Training = new TrainingOptions(PresetRecipe.Of("quickstart-engram").Recipe)
            {
                ValidateEvery = 200,
                ValidationSequences = 512,
                CheckpointEvery = 200,
            },
        };

    /// <summary>The corpus: a file, a folder, or <see cref="CorpusSource.DotnetDocs"/>.</summary>
    public required string Source { get; init; }

    /// <summary>Most documents read; null for all.</summary>
    public int? MaxDocuments { get; init; }

    /// <summary>Ids of the tokenizer, which is trained on the training part.</summary>
    public int VocabularySize { get; init; } = 4096;

    /// <summary>How every arm is trained. The seed is each run's own: arms of one seed see the same data in the same order.</summary>
    public required TrainingOptions Training { get; init; }

    /// <summary>The models, in the order of tables.</summary>
    public IReadOnlyList<QuickstartArm> Arms { get; init; } =
    [
        new(Dense, "quickstart-dense", "#777777", "no experts, no memory: the active parameters alone"),
        new(Moe, "quickstart-moe", "#0072B2", "mixture of experts with the same total parameters as engram"),
        new(MoeFew, "quickstart-moe-few", "#56B4E9", "mixture of few experts: what most of the routed experts are worth at this size"),
        new(Engram, "quickstart-engram", "#D55E00", "half of the routed experts exchanged for an n-gram table"),
        new(
            OneRow,
            "quickstart-engram-one-row",
            "#CC79A7",
            "control: engram with a table of one row per head, which can tell no n-gram from another"
        ),
    ];

    /// <summary>The differences that are reported: an arm, and what it is compared with.</summary>
    public IReadOnlyList<(string Arm, string Baseline)> Comparisons { get; init; } =
    [(Engram, Moe), (Engram, MoeFew), (Engram, OneRow), (Moe, MoeFew), (OneRow, Moe)];

    /// <summary>
    /// The order in which arms are started: the slow ones first (memory, then many experts), so that at the end no core waits long for
    /// another one.
    /// </summary>
    internal IEnumerable<QuickstartArm> LongestFirst =>
        Arms.OrderByDescending(arm => arm.Configuration.Engram is not null).ThenByDescending(arm => arm.Configuration.NRoutedExperts);

    /// <summary>How sample texts are drawn.</summary>
    public SamplingOptions Sampling { get; init; } =
        new()
        {
            Temperature = 0.8,
            TopP = 0.95,
            Seed = 1,
            MaxNewTokens = 80,
        };

    /// <summary>
    /// All that decides about the results of a seed, the text of the corpus excepted: two studies with the same text may share a folder.
    /// </summary>
    internal string Identity()
    {
        var arms = new JsonObject();
        foreach (var arm in Arms)
            arms[arm.Name] = JsonNode.Parse(arm.Configuration.ToJson());
        return new JsonObject
        {
            ["source"] = Source == CorpusSource.DotnetDocs ? Source : Path.GetFullPath(Source),
            ["max_documents"] = MaxDocuments,
            ["vocabulary_size"] = VocabularySize,
            ["training"] = JsonNode.Parse((Training with { Seed = 0 }).ToJson()),
            ["arms"] = arms,
        }.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" });
    }
}

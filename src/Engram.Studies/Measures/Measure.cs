using Engram.Models.Memory;
using Engram.Studies.Definitions;
using Engram.Studies.Planning;

namespace Engram.Studies.Measures;

/// <summary>A way to get numbers from a trained model.</summary>
/// <param name="Name">As studies name it.</param>
/// <param name="Last">The row that it always gives, as its last one: where that row is, the others are.</param>
/// <param name="Applies">Whether a run has what is measured.</param>
/// <param name="Take">The rows: names and values.</param>
internal sealed record Measure(
    string Name,
    string Last,
    Func<PlannedRun, bool> Applies,
    Func<MeasuredRun, CancellationToken, IEnumerable<(string Measure, double Value)>> Take
)
{
    /// <summary>Whether the values are times, which no two runs have in common: they lie in a file of their own.</summary>
    public bool Timed { get; init; }

    /// <summary>
    /// Whether the model of the study's reference is looked at as well, or says how long the texts are, so that the rows depend on both.
    /// </summary>
    public bool Compares { get; init; }

    /// <summary>What training measured itself; every study has it.</summary>
    public static Measure Training { get; } =
        new("training", "loss", _ => true, (run, _) => [("bits_per_byte", run.Result.BitsPerByte), ("loss", run.Result.ValidationLoss)]);

    // Measures that other files define are named here, so that a study can ask for them.
    private static readonly IReadOnlyList<Measure> Known =
    [
        Loss("memory_off", MemoryUse.Off),
        Loss("memory_shuffled", MemoryUse.ShuffledRows),
        Loss("memory_random", MemoryUse.RandomRows),
        Loss("memory_permuted", MemoryUse.PermutedKeys),
        Loss("memory_mean", MemoryUse.OneRow),
        new("world", WorldRecall.Last, run => run.Corpus.World is not null, WorldRecall.Take),
        new("world_mean", WorldRecall.LastOfMean, run => run.Corpus.World is not null && HasMemory(run), WorldRecall.TakeMean),
        new("cloze", ClozeItems.Last, _ => true, ClozeItems.Take),
        new("curve", LossCurve.Last, run => run.Options.ValidateEvery > 0, LossCurve.Take),
        new("lens", LogitLens.Last, run => run.Configuration.NumHiddenLayers > 1, LogitLens.Take),
        new("alignment", LayerAlignment.Last, run => run.Reference is not null, LayerAlignment.Take) { Compares = true },
        new("ruler", LongContext.LastOfRuler, LongContext.HoldsRuler, LongContext.Ruler) { Compares = true },
        new("longppl", LongContext.LastOfKeys, LongContext.WasTrainedFurther, LongContext.KeyPerplexity) { Compares = true },
        new("long_loss", LongLoss.Last, run => LongContext.Extended(run) is not null, LongLoss.Take) { Compares = true },
        new("cost", "training_microseconds_per_token", _ => true, DecodingCost.Take) { Timed = true },
    ];

    /// <summary>Whether a study measures times.</summary>
    public static bool IsTimed(Study study) => Known.Any(measure => measure.Timed && study.Measures.Contains(measure.Name));

    /// <summary>
    /// Whether rows of a name are many and drawn instead of listed: the points of a curve, the squares of a heat map.
    /// </summary>
    public static bool IsDetail(string row) =>
        row.StartsWith(LossCurve.Prefix, StringComparison.Ordinal) || row.StartsWith(LayerAlignment.Prefix, StringComparison.Ordinal);

    /// <summary>The hash in rows of a name that are about one model.</summary>
    /// <param name="row">The name of a row.</param>
    /// <param name="model">The hash that names the model.</param>
    public static string InputsOf(string row, string model) => WorldRecall.Gives(row) ? RunInputs.OfQuestions(model) : model;

    /// <summary>The measures that a run is to have.</summary>
    /// <exception cref="InvalidDataException">The study names one that there is not.</exception>
    public static IReadOnlyList<Measure> Of(PlannedRun run) =>
        [
            Training,
            .. run
                .Study.Measures.Select(name =>
                    Known.SingleOrDefault(measure => measure.Name == name)
                    ?? throw new InvalidDataException(
                        $"The study {run.Study.Name} asks for the measure '{name}'. There are {string.Join(", ", Known.Select(measure => measure.Name))}."
                    )
                )
                .Where(measure => measure.Applies(run)),
        ];

    private static bool HasMemory(PlannedRun run) => run.Configuration.Engram is not null;

    private static Measure Loss(string name, MemoryUse use) =>
        new(
            name,
            $"loss_{name}",
            HasMemory,
            (run, cancellation) =>
            {
                var changed = use == MemoryUse.Off ? null : run.Model.Memory!.Ablation(use);
                try
                {
                    return [($"loss_{name}", run.Loss(changed, cancellation))];
                }
                finally
                {
                    changed?.Dispose();
                }
            }
        );
}

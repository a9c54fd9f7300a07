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

    /// <summary>What training measured itself; every study has it.</summary>
    public static Measure Training { get; } =
        new("training", "loss", _ => true, (run, _) => [("bits_per_byte", run.Result.BitsPerByte), ("loss", run.Result.ValidationLoss)]);

    // Measures that other files define are named here, so that a study can ask for them.
    private static readonly IReadOnlyList<Measure> Known =
    [
        Loss("memory_off", MemoryUse.Off),
        Loss("memory_shuffled", MemoryUse.ShuffledRows),
        Loss("memory_random", MemoryUse.RandomRows),
        new("world", WorldRecall.Last, run => run.Corpus.World is not null, WorldRecall.Take),
        new("lens", LogitLens.Last, run => run.Configuration.NumHiddenLayers > 1, LogitLens.Take),
        new("cost", "training_microseconds_per_token", _ => true, DecodingCost.Take) { Timed = true },
    ];

    /// <summary>Whether a study measures times.</summary>
    public static bool IsTimed(Study study) => Known.Any(measure => measure.Timed && study.Measures.Contains(measure.Name));

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

    private static Measure Loss(string name, MemoryUse use) =>
        new(
            name,
            $"loss_{name}",
            run => run.Configuration.Engram is not null,
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

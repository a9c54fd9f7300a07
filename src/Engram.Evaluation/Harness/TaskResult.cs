namespace Engram.Evaluation.Harness;

/// <summary>A score of a task.</summary>
/// <param name="Task">The task.</param>
/// <param name="Metric">
/// The metric; behind a comma the filter where there are several ("exact_match,strict"), or "macro" for the mean over subtasks beside the
/// mean over items.
/// </param>
/// <param name="Value">The score: a share from 0 to 1, or of rolling tasks nats per token, bits per byte or a perplexity. Null where no
/// program may
/// run that decides it.</param>
/// <param name="StandardError">Its standard error over items; null where there are fewer than two.</param>
/// <param name="Items">Items that were scored.</param>
/// <param name="Shots">Worked examples that every prompt had at least.</param>
/// <param name="Memory">What the memory did.</param>
/// <param name="Control">The counterfactual control, "none" without.</param>
/// <param name="Published">The paper's score of Engram-27B in the same unit, beside the headline metric; null elsewhere.</param>
public sealed record TaskResult(
    string Task,
    string Metric,
    double? Value,
    double? StandardError,
    int Items,
    int Shots,
    string Memory,
    string Control,
    double? Published
)
{
    /// <summary>The model.</summary>
    public string Model { get; init; } = "";

    /// <summary>
    /// The part of the memory that was silenced, as <see cref="Models.Memory.Suppression.Parse"/> reads it; null for none.
    /// </summary>
    public string? Suppressed { get; init; }

    /// <summary>Worked examples that were asked for; <see cref="Shots"/> is less where there were fewer.</summary>
    public int ShotsAsked { get; init; }

    /// <summary>Items whose prompt lost its beginning, because the model's context had no room for it.</summary>
    public int Truncated { get; init; }

    /// <summary>The first file of its rows below the data root, and how many more there are; of a group, those of its first task.</summary>
    public string Data { get; init; } = "";

    /// <summary>Version of the task file.</summary>
    public int Version { get; init; }
}

/// <summary>Two models on the same items of a task.</summary>
/// <param name="Task">The task.</param>
/// <param name="Metric">Its headline metric.</param>
/// <param name="Model">The first model.</param>
/// <param name="Other">The second model.</param>
/// <param name="Difference">Mean of first minus second.</param>
/// <param name="StandardError">Of the difference, by paired bootstrap.</param>
/// <param name="Low">Lower end of the 95 % interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="PValue">Two-sided.</param>
/// <param name="Items">Items compared.</param>
public sealed record TaskComparison(
    string Task,
    string Metric,
    string Model,
    string Other,
    double Difference,
    double StandardError,
    double Low,
    double High,
    double PValue,
    int Items
);

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
/// <param name="Shots">Worked examples that every prompt was given at least; <see cref="ShotsKept"/> says what was left of them.</param>
/// <param name="Memory">What the memory did.</param>
/// <param name="Control">The counterfactual control, "none" without.</param>
/// <param name="Published">
/// The paper's score of Engram-27B in the same unit, beside the headline metric; null elsewhere, and where what is measured is something
/// else: other rows, another number of examples than the task's own, a control, a silenced part of the memory.
/// </param>
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

    /// <summary>
    /// Whole worked examples that every prompt still had at least where it was read: fewer than <see cref="Shots"/> where prompts lost
    /// their beginning.
    /// </summary>
    public int ShotsKept { get; init; }

    /// <summary>Items that the data have; <see cref="Items"/> is less with a limit, and where no program was run.</summary>
    public int OfItems { get; init; }

    /// <summary>Items whose prompt lost its beginning, because the model's context had no room for it.</summary>
    public int Truncated { get; init; }

    /// <summary>The first file of its rows below the data root, and how many more there are; of a group, those of its first task.</summary>
    public string Data { get; init; } = "";

    /// <summary>Version of the task file.</summary>
    public int Version { get; init; }
}

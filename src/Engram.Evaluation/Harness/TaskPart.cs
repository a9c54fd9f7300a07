namespace Engram.Evaluation.Harness;

/// <summary>A score of a part of a task, such as a subject.</summary>
/// <param name="Task">The task.</param>
/// <param name="Part">The value of its column <see cref="TaskFile.Subtask"/>.</param>
/// <param name="Metric">The metric, as in <see cref="TaskResult"/>.</param>
/// <param name="Value">The score.</param>
/// <param name="StandardError">Its standard error over items; null where there are fewer than two independent ones.</param>
/// <param name="Items">Items that were scored.</param>
/// <param name="OfItems">Items that the data have.</param>
/// <param name="Memory">What the memory did.</param>
/// <param name="Control">The counterfactual control, "none" without.</param>
/// <param name="Model">The model.</param>
/// <param name="Suppressed">The part of the memory that was silenced; null for none.</param>
public sealed record TaskPart(
    string Task,
    string Part,
    string Metric,
    double Value,
    double? StandardError,
    int Items,
    int OfItems,
    string Memory,
    string Control,
    string Model,
    string? Suppressed
);

using Engram.Evaluation.Datasets;

namespace Engram.Evaluation.Harness;

/// <summary>
/// Counterfactual controls: part of an item is another item's, and the right answer stays. A score that survives does not come from reading
/// that part.
/// </summary>
public enum TaskControl
{
    /// <summary>Items as they are.</summary>
    None,

    /// <summary>The question is that of the next item.</summary>
    Stem,

    /// <summary>The passage is that of the next item whose passage is another.</summary>
    Context,
}

/// <summary>Exchanges columns for a control.</summary>
internal static class ControlledRows
{
    /// <summary>The rows with the columns of a control taken from another row.</summary>
    /// <exception cref="ArgumentException">The task has no such part.</exception>
    /// <exception cref="InvalidDataException">No other item has another one.</exception>
    public static IReadOnlyList<DatasetRow> Of(TaskFile task, IReadOnlyList<DatasetRow> rows, TaskControl control)
    {
        if (control == TaskControl.None)
            return rows;
        var columns = control == TaskControl.Stem ? task.Stem : task.Context;
        var part = control == TaskControl.Stem ? "question" : "passage";
        if (columns.Count == 0)
            throw new ArgumentException($"task {task.Task} has no {part} to exchange; leave it out.", nameof(control));
        string[] keys = [.. rows.Select(row => string.Join('\u001f', columns.Select(column => row.Values[column]?.ToJsonString())))];
        return
        [
            .. rows.Select(
                (row, i) =>
                {
                    for (var step = 1; step < rows.Count; step++)
                        if (rows[(i + step) % rows.Count] is var other && keys[(i + step) % rows.Count] != keys[i])
                            return row.With([.. columns.Select(column => (column, other.Values[column]?.DeepClone()))]);
                    throw new InvalidDataException($"{row.Place}: no other item has another {part}; the control needs two.");
                }
            ),
        ];
    }
}

using Engram.Evaluation.Datasets;

namespace Engram.Evaluation.Harness;

/// <summary>The items of a task, made of its rows when they are asked for.</summary>
/// <param name="task">Not a group.</param>
/// <param name="rows">As they stand in the files.</param>
/// <param name="asked">As they are asked: a control has exchanged columns.</param>
/// <param name="questions">Makes items.</param>
internal sealed class TaskItems(TaskFile task, IReadOnlyList<DatasetRow> rows, IReadOnlyList<DatasetRow> asked, TaskQuestions questions)
{
    /// <summary>How many rows each part of the task has, in the order of the parts; one part "" where the task has none.</summary>
    public IReadOnlyDictionary<string, int> Parts { get; } =
        rows.CountBy(row => PartOf(task, row), StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);

    /// <summary>The part of a task that a row belongs to.</summary>
    public static string PartOf(TaskFile task, DatasetRow row) => task.Subtask is { } column ? row.Values[column]?.ToString() ?? "" : "";

    /// <summary>Numbers of the rows that are asked: with a limit the first ones, of each part where the task has parts.</summary>
    public int[] Wanted(int? limit)
    {
        var parts = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. Enumerable.Range(0, rows.Count).Where(Within)];

        bool Within(int row)
        {
            var part = PartOf(task, rows[row]);
            parts[part] = parts.GetValueOrDefault(part) + 1;
            return parts[part] <= (limit ?? int.MaxValue);
        }
    }

    /// <summary>The item of a row.</summary>
    /// <exception cref="InvalidDataException">The row does not fit the task; the message names file and row.</exception>
    public TaskItem this[int row] => questions.Item(row, asked[row], rows[row]);
}

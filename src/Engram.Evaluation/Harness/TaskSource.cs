namespace Engram.Evaluation.Harness;

/// <summary>A task and where its rows were found.</summary>
/// <param name="Task">Not a group.</param>
/// <param name="Shots">
/// Worked examples that its prompts are to have: those asked for, those that the task names, at most the fixed ones; none where it has no
/// place for them.
/// </param>
/// <param name="Found">Its rows.</param>
/// <param name="Options">How it is asked.</param>
internal sealed record TaskSource(TaskFile Task, int Shots, FoundData Found, EvaluationOptions Options)
{
    /// <summary>Looks for the rows of a task, and of its worked examples.</summary>
    /// <exception cref="FileNotFoundException">They are not there.</exception>
    public static TaskSource Find(TaskFile task, EvaluationOptions options)
    {
        var source = new TaskSource(task, ShotsOf(task, options.Shots), TaskRows.Require(task.Task, task.Data, options.DataRoot), options);
        if (source.Shots > 0 && task.FewShot is { Items: null, Data.Count: > 0 } examples)
            TaskRows.Require($"{task.Task} (worked examples)", examples.Data, options.DataRoot);
        return source;
    }

    /// <summary>
    /// Whether a published score may stand beside what is measured: it is of these rows, with as many worked examples, of items as they
    /// are, read with the whole memory.
    /// </summary>
    public bool Comparable =>
        !Found.Data.StandIn && Options.Control == TaskControl.None && Options.Suppression is null && Shots == ShotsOf(Task, null);

    /// <summary>Reads the rows.</summary>
    /// <param name="cancellation">Heard while a file that is a pipe is waited for.</param>
    /// <exception cref="InvalidDataException">There are none, or a file or row cannot be read.</exception>
    /// <exception cref="ArgumentException">The control does not fit the task.</exception>
    public TaskItems Read(CancellationToken cancellation)
    {
        var rows = Found.Read(cancellation);
        if (rows.Count == 0)
            throw new InvalidDataException($"{Task.Task}: no rows in {string.Join(", ", Found.Files)}.");
        return new TaskItems(
            Task,
            rows,
            ControlledRows.Of(Task, rows, Options.Control),
            new TaskQuestions(Task, Shots, ShotRows(rows, cancellation))
        );
    }

    private static int ShotsOf(TaskFile task, int? asked) =>
        task.FewShot is not { } fewShot ? 0 : Math.Min(asked ?? fewShot.Count, fewShot.Items?.Count ?? int.MaxValue);

    private IReadOnlyList<Datasets.DatasetRow> ShotRows(IReadOnlyList<Datasets.DatasetRow> tested, CancellationToken cancellation)
    {
        if (Shots == 0 || Task.FewShot is not { } source)
            return [];
        if (source.Items is { } items)
            return [.. items.Select((values, i) => new Datasets.DatasetRow("few_shot", $"task {Task.Task}, few_shot.items[{i}]", values))];
        return source.Data.Count == 0 ? tested : TaskRows.Require(Task.Task, source.Data, Options.DataRoot).Read(cancellation);
    }
}

namespace Engram.Evaluation.Harness;

/// <summary>What a task is, and whether its data are there.</summary>
/// <param name="Task">The task.</param>
/// <param name="Found">Whether rows of it, and of its worked examples, were found and can be read; of a group, of all its tasks.</param>
/// <param name="Path">The first file of its rows below the data root, and how many more there are; null if nothing was found.</param>
/// <param name="Rows">Rows, transformed: those that are tested. 0 if nothing was found.</param>
/// <param name="Missing">What is missing, and in which layouts it is looked for; null if nothing is.</param>
public sealed record TaskListing(string Task, bool Found, string? Path, int Rows, string? Missing)
{
    /// <summary>How it is scored.</summary>
    public required TaskKind Kind { get; init; }

    /// <summary>Worked examples that a prompt is to have; of a group the most.</summary>
    public required int Shots { get; init; }

    /// <summary>Its headline; of a group whose tasks have several "score".</summary>
    public required string Metric { get; init; }

    /// <summary>Whether the rows that were found are others than those of published scores, so that none stands beside theirs.</summary>
    public bool StandIn { get; init; }

    /// <summary>
    /// How many items the published set has: more than the rows where these are a part of it; null where that is not known.
    /// </summary>
    public int? PublishedItems { get; init; }

    /// <summary>How many tasks a group has; null of a task.</summary>
    public int? Parts { get; init; }

    /// <summary>Of how many of them the data are there; null of a task.</summary>
    public int? PartsFound { get; init; }

    /// <summary>What is asked, and by whose rules.</summary>
    public required string Description { get; init; }

    /// <summary>What tasks find below a folder.</summary>
    /// <param name="tasks">Tasks and groups.</param>
    /// <param name="root">The data root; null where none was given.</param>
    /// <param name="cancellation">Heard between files, and while one that is a pipe is waited for.</param>
    /// <exception cref="InvalidDataException">A task of a group is none.</exception>
    public static IReadOnlyList<TaskListing> Of(IEnumerable<TaskFile> tasks, string? root, CancellationToken cancellation = default) =>
        [.. tasks.Select(task => task.Kind == TaskKind.Group ? OfGroup(task, root, cancellation) : Of(task, root, cancellation))];

    private static TaskListing OfGroup(TaskFile group, string? root, CancellationToken cancellation)
    {
        TaskListing[] parts = [.. TaskRunner.Leaves(group, cancellation).Select(leaf => Of(leaf, root, cancellation))];
        TaskListing[] absent = [.. parts.Where(part => !part.Found)];
        string[] metrics = [.. parts.Select(part => part.Metric).Distinct()];
        return new(
            group.Task,
            absent.Length == 0,
            parts.FirstOrDefault(part => part.Path is not null)?.Path,
            parts.Sum(part => part.Rows),
            absent.Length == 0 ? null : string.Join(" | ", absent.Select(part => $"{part.Task}: {part.Missing}"))
        )
        {
            Kind = group.Kind,
            Shots = parts.Max(part => part.Shots),
            Metric = metrics.Length == 1 ? metrics[0] : "score",
            StandIn = parts.Any(part => part.StandIn),
            PublishedItems = group.Published?.Items,
            Parts = parts.Length,
            PartsFound = parts.Length - absent.Length,
            Description = group.Description,
        };
    }

    private static TaskListing Of(TaskFile task, string? root, CancellationToken cancellation)
    {
        FoundData? found = null;
        try
        {
            found = root is null ? null : TaskRows.Find(task.Data, root);
            if (found is null)
                return Listed(0, TaskRows.Expected(task.Data));
            var rows = found.Read(cancellation).Count;
            if (task.FewShot is { Data.Count: > 0 } shots)
            {
                if (TaskRows.Find(shots.Data, root!) is not { } examples)
                    return Listed(rows, $"worked examples: {TaskRows.Expected(shots.Data)}");
                examples.Read(cancellation);
            }
            return Listed(rows, rows > 0 ? null : "rows");
        }
        catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return Listed(0, error.Message);
        }

        TaskListing Listed(int rows, string? missing) =>
            new(task.Task, missing is null, found?.Shown, rows, missing)
            {
                Kind = task.Kind,
                Shots = task.WorkedCount + Math.Min(task.FewShot?.Count ?? 0, task.FewShot?.Items?.Count ?? int.MaxValue),
                Metric = task.Kind == TaskKind.Generate ? GeneratedAnswers.MetricNames(task)[0] : task.Metrics[0],
                StandIn = found?.Data.StandIn ?? false,
                PublishedItems = task.Published?.Items,
                Description = task.Description,
            };
    }
}

namespace Engram.Evaluation.Harness;

/// <summary>Whether the data of a task are there.</summary>
/// <param name="Task">The task.</param>
/// <param name="Found">Whether rows of it, and of its worked examples, were found and can be read.</param>
/// <param name="Path">The first file of its rows below the data root, and how many more there are; null if nothing was found.</param>
/// <param name="Rows">Rows, transformed: those that are tested. 0 if nothing was found.</param>
/// <param name="Missing">What is missing, and in which layouts it is looked for; null if nothing is.</param>
public sealed record TaskListing(string Task, bool Found, string? Path, int Rows, string? Missing)
{
    /// <summary>What the tasks of the program find below a folder.</summary>
    /// <param name="root">The data root; null where none was given.</param>
    /// <param name="cancellation">Heard between files, and while one that is a pipe is waited for.</param>
    public static IReadOnlyList<TaskListing> Of(string? root, CancellationToken cancellation = default) =>
        [.. TaskFiles.Names.Select(name => Of(TaskFiles.Load(name, cancellation), root, cancellation))];

    private static TaskListing Of(TaskFile task, string? root, CancellationToken cancellation)
    {
        if (task.Kind == TaskKind.Group)
        {
            TaskListing[] parts = [.. TaskRunner.Leaves(task, cancellation).Select(leaf => Of(leaf, root, cancellation))];
            TaskListing[] absent = [.. parts.Where(part => !part.Found)];
            return new(
                task.Task,
                absent.Length == 0,
                parts.FirstOrDefault(part => part.Path is not null)?.Path,
                parts.Sum(part => part.Rows),
                absent.Length == 0 ? null : string.Join(" | ", absent.Select(part => $"{part.Task}: {part.Missing}"))
            );
        }

        string? path = null;
        try
        {
            if (root is null || TaskRows.Find(task.Data, root) is not { } found)
                return new(task.Task, false, null, 0, TaskRows.Expected(task.Data));
            path = found.Shown;
            var rows = found.Read(cancellation).Count;
            if (task.FewShot is not { Data.Count: > 0 } shots)
                return new(task.Task, rows > 0, path, rows, rows > 0 ? null : "rows");
            if (TaskRows.Find(shots.Data, root) is not { } examples)
                return new(task.Task, false, path, rows, $"worked examples: {TaskRows.Expected(shots.Data)}");
            examples.Read(cancellation);
            return new(task.Task, rows > 0, path, rows, rows > 0 ? null : "rows");
        }
        catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return new(task.Task, false, path, 0, error.Message);
        }
    }
}

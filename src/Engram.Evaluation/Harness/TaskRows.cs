using Engram.Evaluation.Datasets;

namespace Engram.Evaluation.Harness;

/// <summary>Where the rows of a task were found.</summary>
/// <param name="Data">The alternative that is there.</param>
/// <param name="Files">Its files, in order.</param>
/// <param name="Root">The data root.</param>
internal sealed record FoundData(TaskData Data, IReadOnlyList<string> Files, string Root)
{
    /// <summary>The first file below the data root, and how many more there are.</summary>
    public string Shown => Path.GetRelativePath(Root, Files[0]) + (Files.Count > 1 ? $" and {Files.Count - 1} more" : "");

    /// <summary>The rows, transformed.</summary>
    /// <param name="cancellation">Heard while a file that is a pipe is waited for.</param>
    /// <exception cref="InvalidDataException">A file or row cannot be read; the message names both and the remedy.</exception>
    public IReadOnlyList<DatasetRow> Read(CancellationToken cancellation)
    {
        var format = TaskRows.FormatOf(Data);
        var rows = Files.SelectMany(file => DatasetReader.Read(file, Path.GetRelativePath(Root, file), format, cancellation));
        if (Data.Remedy is { } remedy)
            rows = rows.Select(row => row with { Remedy = remedy });
        foreach (var name in Data.Transforms)
            rows = DatasetTransform.Find(name)(rows);
        return [.. rows];
    }
}

/// <summary>Finds the rows of tasks below a data root.</summary>
internal static class TaskRows
{
    /// <summary>The first alternative whose files are all there, or null.</summary>
    public static FoundData? Find(IReadOnlyList<TaskData> alternatives, string root)
    {
        foreach (var data in alternatives)
            if (FilesOf(data, root) is { Count: > 0 } files)
                return new FoundData(data, files, root);
        return null;
    }

    /// <summary>The first alternative whose files are all there.</summary>
    /// <exception cref="FileNotFoundException">There is none; the message lists them.</exception>
    public static FoundData Require(string task, IReadOnlyList<TaskData> alternatives, string root) =>
        Find(alternatives, root)
        ?? throw new FileNotFoundException(
            $"{task}: no data below '{root}'; looked there for {Expected(alternatives)}. The same command with --list in place of the model says of each task what is there and what is missing."
        );

    /// <summary>How the rows of a place are found in its files.</summary>
    public static DatasetFormat FormatOf(TaskData data) =>
        new()
        {
            Rows = data.Rows,
            Columns = data.Columns,
            OtherEncoding = data.OtherEncoding,
        };

    /// <summary>What to do where rows of a user's own task do not fit.</summary>
    public static string RemedyOf(TaskFile task, TaskData place) =>
        place.Transforms.Count > 0
            ? $"{task.File ?? task.Task}: docs/task-files.md says which columns the transforms want ({string.Join(", ", place.Transforms)})."
            : task.Kind switch
            {
                TaskKind.Choice or TaskKind.Prefix =>
                    $"{task.File ?? task.Task}: kind {task.Kind.ToString().ToLowerInvariant()} wants the options in the column \"{task.Options}\" (a list of texts) and the right one in \"{task.Gold}\" (its index from 0, text or letter); the keys options and gold name other columns, and transforms can make them (docs/task-files.md).",
                TaskKind.Generate =>
                    $"{task.File ?? task.Task}: kind generate wants the right answers in the column \"{task.References}\"; the key references names another.",
                _ => "Mend or delete the row.",
            };

    /// <summary>What a task looks for, in words.</summary>
    public static string Expected(IReadOnlyList<TaskData> alternatives) =>
        string.Join(
            "; or ",
            alternatives.Select(data =>
                data.Hub is not { } hub
                    ? string.Join(" and ", data.Files)
                    : $"a snapshot of {hub}{(data.Configuration is { } name ? $" ({name})" : "")}, split {data.Split}"
            )
        );

    private static IReadOnlyList<string> FilesOf(TaskData data, string root)
    {
        if (data.Hub is { } hub)
            return DatasetFiles.FindSnapshot(root, hub, data.Configuration, data.Split);
        var files = new List<string>();
        foreach (var pattern in data.Files)
        {
            var found = DatasetFiles.FindHereOrInCache(root, pattern);
            if (found.Count == 0)
                return [];
            files.AddRange(found);
        }
        return files;
    }
}

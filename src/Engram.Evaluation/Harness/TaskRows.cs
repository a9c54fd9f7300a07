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
        var format = new DatasetFormat
        {
            Rows = Data.Rows,
            Columns = Data.Columns,
            OtherEncoding = Data.OtherEncoding,
        };
        var rows = Files.SelectMany(file => DatasetReader.Read(file, Path.GetRelativePath(Root, file), format, cancellation));
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
            $"{task}: no data below '{root}'; expected {Expected(alternatives)}. engram eval --list --data-root shows what is there."
        );

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

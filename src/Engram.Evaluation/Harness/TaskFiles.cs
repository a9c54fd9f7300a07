using System.Reflection;
using System.Text.Json;
using Engram.Corpora.Files;

namespace Engram.Evaluation.Harness;

/// <summary>The tasks that come with the program, each one file <c>tasks/NAME.json</c> of the source, and those of the user.</summary>
public static class TaskFiles
{
    private const string Folder = "tasks/",
        Extension = ".json";
    private static readonly Assembly Home = typeof(TaskFiles).Assembly;

    /// <summary>Names of all tasks that come with the program, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Home.GetManifestResourceNames()
            .Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .Select(name => name[Folder.Length..^Extension.Length])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>A task by its name, or by the path of a file.</summary>
    /// <param name="nameOrPath">Name or path.</param>
    /// <param name="cancellation">Heard while a file that is a pipe is waited for.</param>
    /// <exception cref="ArgumentException">There is no such task; the message lists those there are.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is no task; the message names file, line and key.</exception>
    public static TaskFile Load(string nameOrPath, CancellationToken cancellation = default)
    {
        if (Names.Contains(nameOrPath))
        {
            using var resource = Home.GetManifestResourceStream(Folder + nameOrPath + Extension)!;
            return Parse(resource, $"task {nameOrPath}");
        }

        if (!nameOrPath.EndsWith(Extension, StringComparison.Ordinal) && Path.GetFileName(nameOrPath) == nameOrPath)
            throw new ArgumentException(
                $"There is no task '{nameOrPath}'. Tasks: {string.Join(", ", Names)}; or the path of a task file (.json).",
                nameof(nameOrPath)
            );
        if (!File.Exists(nameOrPath))
            throw new FileNotFoundException($"No task file at '{nameOrPath}'.", nameOrPath);
        return Parse(new MemoryStream(InputFile.ReadAllBytes(nameOrPath, cancellation)), nameOrPath);
    }

    private static TaskFile Parse(Stream utf8, string source)
    {
        TaskFile task;
        try
        {
            task =
                JsonSerializer.Deserialize(utf8, TaskJson.Default.TaskFile)
                ?? throw new InvalidDataException($"{source}: null is no task.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{source}: line {error.LineNumber + 1}: {error.Message.Split(" Path:")[0]}", error);
        }

        if (task.Kind == TaskKind.Group)
            return task.Tasks.Count > 0 ? task : throw new InvalidDataException($"{source}: a group names its tasks; tasks is empty.");
        if (task.Metrics.Distinct().Count() < task.Metrics.Count)
            throw new InvalidDataException($"{source}: metrics names one twice: {string.Join(", ", task.Metrics)}.");
        if (task.Repeats < 1 || task.Temperature < 0 || (task.Repeats > 1 && task.Temperature == 0))
            throw new InvalidDataException(
                $"{source}: repeats is {task.Repeats} at temperature {task.Temperature}; at least 1, and more than one only above 0, where answers differ."
            );
        if (task.Metrics.FirstOrDefault(metric => GeneratedAnswers.PassOf(metric) is { } k && (k < 1 || k > task.Repeats)) is { } pass)
            throw new InvalidDataException($"{source}: {pass} needs at least so many answers to an item; repeats is {task.Repeats}.");
        if (task.Metrics.Count == 0)
            throw new InvalidDataException($"{source}: metrics is empty; name at least one.");
        if (task.Data.Count == 0 || task.Data.Concat(task.FewShot?.Data ?? []).Any(data => (data.Files.Count == 0) == (data.Hub is null)))
            throw new InvalidDataException($"{source}: data needs either files or hub.");
        if (task.Kind == TaskKind.Generate && task.MaxNewTokens < 1)
            throw new InvalidDataException($"{source}: max_new_tokens is {task.MaxNewTokens}; it must be at least 1.");
        if (task.Stop.Contains(""))
            throw new InvalidDataException($"{source}: stop holds an empty string, which would end every answer before it begins.");
        return task;
    }
}

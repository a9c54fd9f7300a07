using System.IO.Enumeration;
using System.Reflection;
using Engram.Corpora.Files;
using Engram.Evaluation.Text;

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

    /// <summary>
    /// The tasks of some names, paths and patterns ("mmlu*", "mine/*.json"), each once. The tasks of groups are loaded as well, so that all
    /// that is wrong with a file is said before anything runs.
    /// </summary>
    /// <param name="names">Names, paths and patterns.</param>
    /// <param name="cancellation">Heard while a file that is a pipe is waited for.</param>
    /// <exception cref="ArgumentException">There is no such task, or two files give one name to two tasks.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A file is no task; the message names file and key.</exception>
    public static IReadOnlyList<TaskFile> LoadAll(IEnumerable<string> names, CancellationToken cancellation = default)
    {
        var tasks = names.SelectMany(Matching).Select(name => Load(name, cancellation)).ToList();
        RequireNames([.. tasks, .. tasks.SelectMany(task => TaskRunner.Leaves(task, cancellation))]);
        return [.. tasks.DistinctBy(task => task.Task)];
    }

    /// <summary>A task by its name, or by the path of a file.</summary>
    /// <param name="nameOrPath">Name or path.</param>
    /// <param name="cancellation">Heard while a file that is a pipe is waited for.</param>
    /// <exception cref="ArgumentException">There is no such task; the message names those that are near.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is no task; the message names file and key.</exception>
    public static TaskFile Load(string nameOrPath, CancellationToken cancellation = default)
    {
        if (Names.Contains(nameOrPath))
        {
            using var resource = Home.GetManifestResourceStream(Folder + nameOrPath + Extension)!;
            var (source, task) = ($"task {nameOrPath}", TaskJson.Default.Parse(resource, $"task {nameOrPath}") with { BuiltIn = true });
            TaskFileRules.Require(task, source);
            return task;
        }

        var ending = Path.GetExtension(nameOrPath);
        if (ending is ".yaml" or ".yml")
            throw new InvalidDataException(
                $"{nameOrPath}: a task file is JSON (.json), not YAML. docs/task-files.md names its keys, and those of lm-evaluation-harness that they stand for."
            );
        if (ending != Extension && Path.GetFileName(nameOrPath) == nameOrPath)
            throw new ArgumentException(
                $"There is no task '{nameOrPath}'.{NearestNames.Ask(nameOrPath, Names)} engram eval --list names them; a task of your own is the path of a task file (.json).",
                nameof(nameOrPath)
            );
        if (!File.Exists(nameOrPath))
            throw new FileNotFoundException($"There is no task file '{nameOrPath}'.", nameOrPath);
        using var content = new MemoryStream(InputFile.ReadAllBytes(nameOrPath, cancellation));
        var own = TaskJson.Default.Parse(content, nameOrPath) with { File = nameOrPath };
        TaskFileRules.Require(own, nameOrPath);
        TaskData WithRemedy(TaskData place) => place with { Remedy = TaskRows.RemedyOf(own, place) };
        return own with
        {
            Data = [.. own.Data.Select(WithRemedy)],
            FewShot = own.FewShot is { } few ? few with { Data = [.. few.Data.Select(WithRemedy)] } : null,
        };
    }

    /// <summary>A task of a group: by its name, or by a path from the group's file, or else from the working folder.</summary>
    /// <param name="group">The group.</param>
    /// <param name="nameOrPath">What the group calls it.</param>
    /// <param name="cancellation">Heard while a file that is a pipe is waited for.</param>
    /// <exception cref="InvalidDataException">There is no such task, or it is none; the message names the group's file.</exception>
    internal static TaskFile Member(TaskFile group, string nameOrPath, CancellationToken cancellation)
    {
        if (group.File is not { } file || Names.Contains(nameOrPath))
            return Load(nameOrPath, cancellation);
        var beside = Path.Combine(Path.GetDirectoryName(file)!, nameOrPath);
        try
        {
            return Load(File.Exists(beside) ? beside : nameOrPath, cancellation);
        }
        catch (Exception error) when (error is ArgumentException or FileNotFoundException)
        {
            throw new InvalidDataException(
                $"{file}: tasks: there is no task '{nameOrPath}', and no file '{beside}'.{NearestNames.Ask(nameOrPath, Names)}",
                error
            );
        }
    }

    /// <summary>Requires that a name stands for one task.</summary>
    /// <exception cref="ArgumentException">Two files give one name to two tasks; the message names both.</exception>
    internal static void RequireNames(IReadOnlyList<TaskFile> tasks)
    {
        foreach (var same in tasks.GroupBy(task => task.Task))
        {
            string[] sources = [.. same.Select(task => task.File is { } file ? Path.GetFullPath(file) : "").Distinct()];
            if (sources.Length > 1)
                throw new ArgumentException(
                    $"Two tasks are called '{same.Key}': {string.Join(" and ", same.Select(task => task.File ?? "the one that comes with the program").Distinct())}. Results go by the name: give one of them another \"task\"."
                );
        }
    }

    private static IEnumerable<string> Matching(string name)
    {
        if (name.AsSpan().IndexOfAny('*', '?') < 0)
            return [name];
        string[] found =
            Path.GetFileName(name) == name && !name.EndsWith(Extension, StringComparison.Ordinal)
                ? [.. Names.Where(known => FileSystemName.MatchesSimpleExpression(name, known, ignoreCase: false))]
                : Files(Path.GetDirectoryName(name)!, Path.GetFileName(name));
        return found.Length > 0
            ? found
            : throw new ArgumentException(
                $"No task matches '{name}'. engram eval --list names those of the program; \"mine/*.json\" stands for files."
            );
    }

    private static string[] Files(string folder, string pattern) =>
        Directory.Exists(folder.Length > 0 ? folder : ".")
            ?
            [
                .. Directory
                    .GetFiles(folder.Length > 0 ? folder : ".", pattern)
                    .Select(file => folder.Length > 0 ? file : Path.GetFileName(file))
                    .Order(StringComparer.Ordinal),
            ]
            : [];
}

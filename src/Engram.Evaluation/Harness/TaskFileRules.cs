using Engram.Evaluation.Code;
using Engram.Evaluation.Datasets;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Harness;

/// <summary>What must hold of a task file beyond its form. All of it is judged before anything is read or scored.</summary>
internal static class TaskFileRules
{
    /// <summary>Requires a task to be one that can be scored.</summary>
    /// <param name="task">The task.</param>
    /// <param name="source">The task or its file, for messages.</param>
    /// <exception cref="InvalidDataException">It is not; the message names the key and the remedy.</exception>
    public static void Require(TaskFile task, string source)
    {
        if (string.IsNullOrWhiteSpace(task.Task) || task.Task.AsSpan().IndexOfAny(",*?") >= 0)
            throw new InvalidDataException($"{source}: task is \"{task.Task}\"; a name has letters, and no comma, * or ?.");
        if (task.Kind == TaskKind.Group)
        {
            if (task.Tasks.Count == 0)
                throw new InvalidDataException($"{source}: a group names its tasks; tasks is empty.");
            return;
        }
        TaskMetrics.Require(task, source);
        if (task.Data.Count == 0)
            throw new InvalidDataException(
                $"{source}: data is empty; name at least one place, for example {{ \"files\": [\"mine.jsonl\"] }}."
            );
        foreach (var (i, place) in task.Data.Index())
            RequirePlace(place, $"{source}: data[{i}]");
        foreach (var (i, place) in (task.FewShot?.Data ?? []).Index())
            RequirePlace(place, $"{source}: few_shot.data[{i}]");
        if (task.FewShot is { Count: < 0 } few)
            throw new InvalidDataException($"{source}: few_shot.count is {few.Count}; it must not be negative.");
        if (task.WorkedCount < 0 || (task.WorkedCount > 0 && task.Worked is null))
            throw new InvalidDataException($"{source}: worked_count is {task.WorkedCount}; it counts the examples of the column worked.");
        if (task is { Kind: TaskKind.Prefix, Target: null })
            throw new InvalidDataException($"{source}: kind prefix needs target, the continuation that follows every option.");
        if (task is { Kind: TaskKind.Rolling, Prompt: "" })
            throw new InvalidDataException(
                $"{source}: kind rolling needs prompt, the text that is scored, for example \"{{{{ text }}}}\"."
            );
        TaskTemplates.Of(task, source);
        if (task.Kind == TaskKind.Generate)
            RequireGeneration(task, source);
        if (task.Stop.Contains(""))
            throw new InvalidDataException($"{source}: stop holds an empty string, which would end every answer before it begins.");
    }

    private static void RequirePlace(TaskData place, string source)
    {
        if ((place.Files.Count == 0) == (place.Hub is null))
            throw new InvalidDataException($"{source}: needs either files or hub.");
        foreach (var name in place.Transforms)
            if (!DatasetTransform.Names.Contains(name))
                throw new InvalidDataException(
                    $"{source}: there is no transform \"{name}\".{NearestNames.Ask(name, DatasetTransform.Names)} There are {string.Join(", ", DatasetTransform.Names)}."
                );
        foreach (var file in place.Files)
            DatasetReader.RequireEffect(file, TaskRows.FormatOf(place), source);
    }

    private static void RequireGeneration(TaskFile task, string source)
    {
        if (task.Repeats < 1 || task.Temperature < 0 || (task.Repeats > 1 && task.Temperature == 0))
            throw new InvalidDataException(
                $"{source}: repeats is {task.Repeats} at temperature {task.Temperature}; at least 1, and more than one only above 0, where answers differ."
            );
        if (task.MaxNewTokens < 1)
            throw new InvalidDataException($"{source}: max_new_tokens is {task.MaxNewTokens}; it must be at least 1.");
        if (task.Filters.DistinctBy(filter => filter.Name).Count() < task.Filters.Count)
            throw new InvalidDataException(
                $"{source}: filters names one twice: {string.Join(", ", task.Filters.Select(filter => filter.Name))}."
            );
        if (task.Code is { } code && !PythonPrograms.Names.Contains(code))
            throw new InvalidDataException(
                $"{source}: code: no program \"{code}\" checks answers.{NearestNames.Ask(code, PythonPrograms.Names)} There are {string.Join(", ", PythonPrograms.Names)}."
            );
        try
        {
            _ = new GeneratedAnswers(task, sandbox: null);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{source}: {error.Message}", error);
        }
    }
}

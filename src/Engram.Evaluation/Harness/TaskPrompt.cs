using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Engram.Evaluation.Harness;

/// <summary>An item as a model would be asked it.</summary>
/// <param name="Task">The task.</param>
/// <param name="Index">Number of the item, from 0 in the order of the rows.</param>
/// <param name="Prompt">What the model reads before the answer; of prefix tasks the prompts of all options, a line each.</param>
/// <param name="Choices">The continuations that are scored, with the delimiter before them; empty where the model writes.</param>
/// <param name="Gold">Index of the right option, or the right answer; a list of several.</param>
/// <param name="Shots">Worked examples in the prompt.</param>
/// <param name="Place">File and row.</param>
public sealed record TaskPrompt(
    string Task,
    int Index,
    string Prompt,
    IReadOnlyList<string> Choices,
    JsonNode? Gold,
    int Shots,
    string Place
)
{
    /// <summary>Of prefix tasks the prompts of all options, which then have one continuation; null elsewhere.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Prompts { get; init; }

    /// <summary>The first items of tasks, without a model.</summary>
    /// <param name="tasks">Tasks and groups, of which each task stands for itself.</param>
    /// <param name="options">How they are asked; only data root, shots and control count.</param>
    /// <param name="count">Items of each task, at most.</param>
    /// <param name="cancellation">Heard between files.</param>
    /// <exception cref="FileNotFoundException">Data of a task are not there.</exception>
    /// <exception cref="InvalidDataException">A row, template or task file does not fit; the message names it.</exception>
    /// <exception cref="ArgumentException">A control does not fit a task.</exception>
    public static IReadOnlyList<TaskPrompt> Of(
        IReadOnlyList<TaskFile> tasks,
        EvaluationOptions options,
        int count,
        CancellationToken cancellation = default
    )
    {
        TaskSource[] sources = [.. TaskRunner.AllLeaves(tasks, cancellation).Select(task => TaskSource.Find(task, options))];
        return [.. sources.SelectMany(Shown)];

        IEnumerable<TaskPrompt> Shown(TaskSource source)
        {
            var items = source.Read(cancellation);
            return items
                .Wanted(limit: null)
                .Take(count)
                .Select(row => items[row])
                .Select(item => new TaskPrompt(
                    source.Task.Task,
                    item.Index,
                    item.Prompt,
                    item.Continuations,
                    item.Gold,
                    item.Shots,
                    item.Row.Place
                )
                {
                    Prompts = item.Prompts,
                });
        }
    }
}

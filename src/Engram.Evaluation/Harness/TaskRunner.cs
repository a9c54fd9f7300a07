using Engram.Evaluation.Scoring;
using Engram.Models.Memory;

namespace Engram.Evaluation.Harness;

/// <summary>Runs tasks on a model: the one entry of the harness.</summary>
public static class TaskRunner
{
    /// <summary>Scores a model on tasks.</summary>
    /// <param name="model">Stays the caller's.</param>
    /// <param name="memory">The memory to read: the model's own or a control; null adds nothing.</param>
    /// <param name="tasks">Tasks and groups (<see cref="TaskFiles.Load"/>).</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Hears of scored items.</param>
    /// <param name="cancellation">Ends the run between requests; samples stay.</param>
    /// <exception cref="FileNotFoundException">Data of a task are not there.</exception>
    /// <exception cref="InvalidDataException">A row, template or task file does not fit; the message names it.</exception>
    /// <exception cref="ArgumentException">
    /// A control does not fit a task, a number is out of range, or there is no memory or no such part of it to silence.
    /// </exception>
    public static EvaluationResult Run(
        IScoredModel model,
        MemoryBank? memory,
        IReadOnlyList<TaskFile> tasks,
        EvaluationOptions options,
        IProgress<EvaluationProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        if (options.Limit is < 1)
            throw new ArgumentOutOfRangeException(nameof(options), options.Limit, "Limit must be at least 1.");
        if (options.Shots is < 0)
            throw new ArgumentOutOfRangeException(nameof(options), options.Shots, "Shots must not be negative.");
        TaskFiles.RequireNames([.. tasks, .. tasks.SelectMany(task => Leaves(task, cancellation))]);
        // What is missing is said before hours are spent.
        TaskSource[] sources = [.. AllLeaves(tasks, cancellation).Select(task => TaskSource.Find(task, options))];
        var (results, headlines) = (
            new Dictionary<string, IReadOnlyList<TaskResult>>(),
            new Dictionary<string, IReadOnlyDictionary<int, ItemScore>>()
        );
        var parts = new List<TaskPart>();
        using var silenced = new SilencedMemory(memory, options.Suppression, cancellation);
        var scorer = new Scorer(model, silenced.Prompts, options.SharePrefixes, options.Together, silenced.Answers, options.MaxLength);
        var (tokens, read, longest, elapsed) = (0L, 0L, 0, TimeSpan.Zero);
        foreach (var source in sources)
        {
            var run = new TaskRun(source, scorer, progress);
            var samples = run.Run(cancellation);
            (tokens, read, elapsed) = (tokens + run.Tokens, read + run.TokensRead, elapsed + run.Elapsed);
            longest = Math.Max(longest, run.Longest);
            var task = source.Task;
            results[task.Task] = TaskAggregation.Of(source, run.Parts.Values.Sum(), samples);
            headlines[task.Task] = TaskAggregation.Headline(task, samples);
            parts.AddRange(TaskAggregation.Parts(task, run.Parts, samples));
        }

        var comparable = sources.Where(source => source.Comparable).Select(source => source.Task.Task).ToHashSet();
        return new EvaluationResult(
            [.. tasks.SelectMany(task => Collect(task, results, comparable)).Distinct()],
            parts,
            headlines,
            tokens,
            read,
            longest,
            elapsed
        );
    }

    /// <summary>The tasks among tasks and groups, each once.</summary>
    internal static IEnumerable<TaskFile> AllLeaves(IReadOnlyList<TaskFile> tasks, CancellationToken cancellation = default) =>
        tasks.SelectMany(task => Leaves(task, cancellation)).DistinctBy(task => task.Task);

    /// <summary>Tasks and groups, and behind each group its tasks; each once.</summary>
    internal static IEnumerable<TaskFile> GroupsAndLeaves(IReadOnlyList<TaskFile> tasks) =>
        tasks.SelectMany(task => task.Kind == TaskKind.Group ? Leaves(task).Prepend(task) : [task]).DistinctBy(task => task.Task);

    /// <summary>The tasks of a group, or the task itself.</summary>
    /// <exception cref="InvalidDataException">A group is part of itself.</exception>
    internal static IEnumerable<TaskFile> Leaves(TaskFile task, CancellationToken cancellation = default) => Leaves(task, [], cancellation);

    private static IEnumerable<TaskFile> Leaves(TaskFile task, string[] above, CancellationToken cancellation) =>
        task.Kind != TaskKind.Group ? [task]
        : above.Contains(task.Task)
            ? throw new InvalidDataException(
                $"task {task.Task}: a group that is part of itself: {string.Join(" > ", [.. above, task.Task])}."
            )
        : task.Tasks.SelectMany(name => Leaves(TaskFiles.Member(task, name, cancellation), [.. above, task.Task], cancellation));

    private static IEnumerable<TaskResult> Collect(
        TaskFile task,
        Dictionary<string, IReadOnlyList<TaskResult>> results,
        HashSet<string> comparable
    )
    {
        if (task.Kind != TaskKind.Group)
            return results[task.Task];
        TaskFile[] leaves = [.. Leaves(task)];
        return
        [
            TaskAggregation.OfGroup(
                task,
                [.. leaves.Select(leaf => results[leaf.Task][0])],
                leaves.All(leaf => comparable.Contains(leaf.Task))
            ),
            .. leaves.SelectMany(leaf => results[leaf.Task]),
        ];
    }
}

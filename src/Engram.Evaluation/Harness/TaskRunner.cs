using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Scoring;
using Engram.Models.Memory;

namespace Engram.Evaluation.Harness;

/// <summary>Runs tasks on a model: the one entry of the harness.</summary>
public static class TaskRunner
{
    // Requests of so many items are encoded at a time: enough to share prefixes, few enough for their ids to stay small.
    private const int ItemsAtOnce = 256;

    private const int ComparisonSeed = 1;

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
        TaskFile[] parts = [.. tasks.SelectMany(task => Leaves(task, cancellation))];
        TaskFiles.RequireNames([.. tasks, .. parts]);
        TaskFile[] leaves = [.. parts.DistinctBy(task => task.Task)];
        // What is missing is said before hours are spent.
        var found = leaves.ToDictionary(task => task.Task, task => TaskRows.Require(task.Task, task.Data, options.DataRoot));
        var shots = leaves.ToDictionary(task => task.Task, task => ShotsOf(task, options));
        foreach (var task in leaves)
            if (shots[task.Task] > 0 && task.FewShot is { Items: null, Data.Count: > 0 } source)
                TaskRows.Require($"{task.Task} (worked examples)", source.Data, options.DataRoot);

        var (results, headlines) = (
            new Dictionary<string, IReadOnlyList<TaskResult>>(),
            new Dictionary<string, IReadOnlyDictionary<int, ItemScore>>()
        );
        using var silenced = new SilencedMemory(memory, options.Suppression, cancellation);
        var scorer = new Scorer(model, silenced.Prompts, options.SharePrefixes, options.Together, silenced.Answers, options.MaxLength);
        var (tokens, read, longest, elapsed) = (0L, 0L, 0, TimeSpan.Zero);
        foreach (var task in leaves)
        {
            var samples = new TaskRun(task, shots[task.Task], found[task.Task], options, scorer, progress).Run(
                ref tokens,
                ref read,
                ref longest,
                ref elapsed,
                cancellation
            );
            results[task.Task] =
            [
                .. TaskAggregation
                    .Of(task, shots[task.Task] + task.WorkedCount, samples)
                    .Select(result =>
                        result with
                        {
                            Data = found[task.Task].Shown,
                            Published = found[task.Task].Data.StandIn ? null : result.Published,
                        }
                    ),
            ];
            headlines[task.Task] = TaskAggregation.Headline(task, samples);
        }

        return new EvaluationResult(
            [.. tasks.SelectMany(task => Collect(task, results)).Distinct()],
            headlines,
            tokens,
            read,
            longest,
            elapsed
        );
    }

    /// <summary>Compares two models on the items that both have scored, task by task.</summary>
    public static IReadOnlyList<TaskComparison> Compare(string model, EvaluationResult one, string otherModel, EvaluationResult other)
    {
        var comparisons = new List<TaskComparison>();
        foreach (var (task, values) in one.Headlines)
        {
            if (!other.Headlines.TryGetValue(task, out var others))
                continue;
            int[] shared = [.. values.Keys.Where(others.ContainsKey).Order()];
            if (shared.Length < 2)
                continue;
            var difference = Bootstrap.Compare(
                [.. shared.Select(index => values[index].Value)],
                [.. shared.Select(index => others[index].Value)],
                ComparisonSeed,
                clusters: [.. shared.Select(index => values[index].Cluster)]
            );
            comparisons.Add(
                new(
                    task,
                    one.Results.First(result => result.Task == task).Metric,
                    model,
                    otherModel,
                    difference.Difference,
                    difference.StandardError,
                    difference.Low,
                    difference.High,
                    difference.PValue,
                    difference.Items
                )
            );
        }
        return comparisons;
    }

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

    /// <summary>
    /// A task's examples: those asked for, those that it names, at most the fixed ones; none where it has no place for them.
    /// </summary>
    private static int ShotsOf(TaskFile task, EvaluationOptions options) =>
        task.FewShot is not { } fewShot ? 0 : Math.Min(options.Shots ?? fewShot.Count, fewShot.Items?.Count ?? int.MaxValue);

    private static IEnumerable<TaskResult> Collect(TaskFile task, Dictionary<string, IReadOnlyList<TaskResult>> results)
    {
        if (task.Kind != TaskKind.Group)
            return results[task.Task];
        IReadOnlyList<TaskResult>[] parts = [.. Leaves(task).Select(leaf => results[leaf.Task])];
        return [TaskAggregation.OfGroup(task, [.. parts.Select(part => part[0])]), .. parts.SelectMany(part => part)];
    }

    private sealed class TaskRun(
        TaskFile task,
        int shots,
        FoundData found,
        EvaluationOptions options,
        Scorer scorer,
        IProgress<EvaluationProgress>? progress
    )
    {
        public List<TaskSample> Run(ref long tokens, ref long read, ref int longest, ref TimeSpan elapsed, CancellationToken cancellation)
        {
            var all = found.Read(cancellation);
            if (all.Count == 0)
                throw new InvalidDataException($"{task.Task}: no rows in {string.Join(", ", found.Files)}.");
            var asked = ControlledRows.Of(task, all, options.Control);
            var wanted = Wanted(all);
            var count = wanted.Length;
            var key = KeyOf(task, options);
            var blank = new TaskSample
            {
                Task = task.Task,
                Index = 0,
                PromptSha256 = "",
                Values = new Dictionary<string, double>(),
                Place = "",
                Model = options.Model,
                Memory = options.Memory,
                Suppressed = options.Suppression?.ToString(),
                Control = options.Control.ToString().ToLowerInvariant(),
                Shots = 0,
                Key = key,
            };
            var questions = new TaskQuestions(task, shots, ShotRows(all, cancellation));
            var scoring = new ItemScoring(task, task.Kind == TaskKind.Generate ? new GeneratedAnswers(task, options.Sandbox) : null, blank);
            var (samples, clock, sinceStart, skipped) = (new TaskSample[count], Stopwatch.StartNew(), 0L, 0);
            for (var first = 0; first < count; first += ItemsAtOnce)
            {
                cancellation.ThrowIfCancellationRequested();
                var open = new List<(int At, TaskItem Item, string Sha256, int Request)>();
                var requests = new List<ScoringRequest>();
                for (var i = first; i < Math.Min(count, first + ItemsAtOnce); i++)
                {
                    var row = wanted[i];
                    var item = questions.Item(row, asked[row], all[row]);
                    var sha256 = ItemScoring.HashOf(item);
                    if (options.Samples?.Find(key, task.Task, row, sha256) is { } known)
                    {
                        (samples[i], skipped) = (known with { Model = options.Model }, skipped + 1);
                        continue;
                    }
                    open.Add((i, item, sha256, requests.Count));
                    requests.AddRange(item.Requests);
                }

                var last = Ask(open, requests, samples, scoring, count, skipped, sinceStart, clock, cancellation);
                tokens += last.Tokens;
                read += last.TokensRead;
                longest = Math.Max(longest, last.Longest);
                sinceStart += last.Tokens;
            }
            elapsed += clock.Elapsed;
            return [.. samples];
        }

        /// <summary>Numbers of the rows that are asked: with a limit the first ones, of each part where the task has parts.</summary>
        private int[] Wanted(IReadOnlyList<Datasets.DatasetRow> rows)
        {
            var parts = new Dictionary<string, int>(StringComparer.Ordinal);
            return [.. Enumerable.Range(0, rows.Count).Where(Within)];

            bool Within(int row)
            {
                var part = task.Subtask is { } column ? rows[row].Values[column]?.ToString() ?? "" : "";
                parts[part] = parts.GetValueOrDefault(part) + 1;
                return parts[part] <= (options.Limit ?? int.MaxValue);
            }
        }

        /// <summary>Asks for some items and completes each as soon as its last answer is there.</summary>
        private ScoringProgress Ask(
            List<(int At, TaskItem Item, string Sha256, int Request)> open,
            List<ScoringRequest> requests,
            TaskSample[] samples,
            ItemScoring scoring,
            int count,
            int skipped,
            long tokens,
            Stopwatch clock,
            CancellationToken cancellation
        )
        {
            var owner = new int[requests.Count];
            var left = new int[open.Count];
            for (var i = 0; i < open.Count; i++)
            {
                left[i] = open[i].Item.Requests.Count;
                Array.Fill(owner, i, open[i].Request, left[i]);
            }
            var answers = new ScoringAnswer[requests.Count];
            var (done, last) = (samples.Count(sample => sample is not null), default(ScoringProgress));
            try
            {
                scorer.Answer(
                    requests,
                    new Latest(report =>
                    {
                        last = report;
                        var own = done - skipped;
                        progress?.Report(
                            new EvaluationProgress(
                                task.Task,
                                done,
                                count,
                                (tokens + report.Tokens) / Math.Max(1e-9, clock.Elapsed.TotalSeconds),
                                own == 0 ? null : clock.Elapsed / own * (count - done)
                            )
                        );
                    }),
                    (request, answer) =>
                    {
                        answers[request] = answer;
                        var i = owner[request];
                        if (--left[i] > 0)
                            return;
                        var (at, item, sha256, from) = open[i];
                        var sample = scoring.Score(item, sha256, answers.AsSpan(from, item.Requests.Count), cancellation);
                        samples[at] = sample;
                        options.Samples?.Append(sample);
                        done++;
                    },
                    cancellation
                );
            }
            catch (UnscorableRequestException error)
            {
                throw new InvalidDataException(
                    $"{open[owner[error.Request]].Item.Row.Place}: {error.Message} Mend or delete the row.",
                    error
                );
            }
            return last;
        }

        private IReadOnlyList<Datasets.DatasetRow> ShotRows(IReadOnlyList<Datasets.DatasetRow> tested, CancellationToken cancellation)
        {
            if (shots == 0 || task.FewShot is not { } source)
                return [];
            if (source.Items is { } items)
                return
                [
                    .. items.Select((values, i) => new Datasets.DatasetRow("few_shot", $"task {task.Task}, few_shot.items[{i}]", values)),
                ];
            return source.Data.Count == 0 ? tested : TaskRows.Require(task.Task, source.Data, options.DataRoot).Read(cancellation);
        }

        /// <summary>What a sample follows from beside its prompt.</summary>
        private static string KeyOf(TaskFile task, EvaluationOptions options) =>
            Convert.ToHexStringLower(
                SHA256.HashData(
                    Encoding.UTF8.GetBytes(
                        string.Join(
                            '\n',
                            JsonSerializer.Serialize(task, TaskJson.Default.TaskFile),
                            options.ModelIdentity.Length > 0 ? options.ModelIdentity : options.Model,
                            options.Memory,
                            options.Suppression,
                            options.Suppression?.Replacement,
                            options.Control,
                            options.MaxLength,
                            options.Sandbox is not null
                        )
                    )
                )
            )[..16];
    }

    private sealed class Latest(Action<ScoringProgress> take) : IProgress<ScoringProgress>
    {
        public void Report(ScoringProgress value) => take(value);
    }
}

using System.Text.Json.Nodes;
using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.Harness;

/// <summary>Scores of tasks from those of their items.</summary>
internal static class TaskAggregation
{
    // The model whose published scores stand beside those measured here.
    private const string PublishedModel = "engram_27b";

    /// <summary>All scores of a task; the first is the headline.</summary>
    /// <param name="source">The task and how it was asked.</param>
    /// <param name="ofItems">Items that its data have.</param>
    /// <param name="samples">At least one.</param>
    public static IReadOnlyList<TaskResult> Of(TaskSource source, int ofItems, IReadOnlyList<TaskSample> samples)
    {
        var (task, results) = (source.Task, new List<TaskResult>());
        foreach (var metric in MetricNames(task))
        {
            var score = Score(task, metric, samples);
            results.Add(Result(metric, score, results.Count == 0 && source.Comparable ? PublishedOf(task) : null));
            if (task.Subtask is null || score is null)
                continue;
            Estimate[] parts = [.. ByPart(samples).Select(part => Score(task, metric, [.. part])).OfType<Estimate>()];
            results.Add(Result($"{metric},macro", Estimate.OfGroup(parts, weightBySize: false), published: null));
        }
        return results;

        TaskResult Result(string metric, Estimate? estimate, double? published) =>
            new(
                task.Task,
                metric,
                estimate?.Value,
                Finite(estimate?.StandardError),
                estimate?.Items ?? 0,
                samples.Min(sample => sample.Shots),
                samples[0].Memory,
                samples[0].Control,
                published
            )
            {
                Model = samples[0].Model,
                Suppressed = samples[0].Suppressed,
                ShotsAsked = source.Shots + task.WorkedCount,
                ShotsKept = samples.Min(sample => sample.ShotsKept ?? sample.Shots),
                OfItems = ofItems,
                Truncated = samples.Count(sample => sample.Lost > 0),
                Data = source.Found.Shown,
                Version = task.Version,
            };
    }

    /// <summary>The scores of each part of a task; none where it has no parts.</summary>
    /// <param name="task">Not a group.</param>
    /// <param name="ofItems">Items that the data have of each part.</param>
    /// <param name="samples">Of the task.</param>
    public static IEnumerable<TaskPart> Parts(TaskFile task, IReadOnlyDictionary<string, int> ofItems, IReadOnlyList<TaskSample> samples) =>
        task.Subtask is null
            ? []
            : from part in ByPart(samples)
            from metric in MetricNames(task)
            let first = part.First()
            let score = Score(task, metric, [.. part])
            where score is not null
            select new TaskPart(
                task.Task,
                part.Key,
                metric,
                score.Value.Value,
                Finite(score.Value.StandardError),
                score.Value.Items,
                ofItems[part.Key],
                first.Memory,
                first.Control,
                first.Model,
                first.Suppressed
            );

    /// <summary>The score of a group from the headlines of its tasks.</summary>
    /// <param name="group">The group.</param>
    /// <param name="headlines">Of each of its tasks, in order.</param>
    /// <param name="comparable">Whether its published score may stand beside it.</param>
    public static TaskResult OfGroup(TaskFile group, IReadOnlyList<TaskResult> headlines, bool comparable)
    {
        Estimate[] parts =
        [
            .. headlines
                .Where(result => result.Value is not null)
                .Select(result => new Estimate(result.Value!.Value, result.StandardError ?? double.NaN, result.Items)),
        ];
        var metrics = headlines.Select(result => result.Metric).Distinct().ToArray();
        var first = headlines[0];
        Estimate? score = parts.Length == 0 ? null : Estimate.OfGroup(parts, group.WeightBySize);
        return first with
        {
            Task = group.Task,
            Version = group.Version,
            Metric = metrics.Length == 1 ? metrics[0] : "score",
            Value = score?.Value,
            StandardError = Finite(score?.StandardError),
            Items = score?.Items ?? 0,
            Shots = headlines.Min(result => result.Shots),
            ShotsAsked = headlines.Max(result => result.ShotsAsked),
            ShotsKept = headlines.Min(result => result.ShotsKept),
            OfItems = headlines.Sum(result => result.OfItems),
            Truncated = headlines.Sum(result => result.Truncated),
            Published = comparable ? PublishedOf(group) : null,
        };
    }

    /// <summary>What the headline metric says of each sample, by index.</summary>
    public static Dictionary<int, ItemScore> Headline(TaskFile task, IEnumerable<TaskSample> samples)
    {
        var metric = MetricNames(task)[0];
        return task.Kind == TaskKind.Rolling
            ? []
            : samples
                .Where(sample => sample.Values.ContainsKey(metric))
                .ToDictionary(
                    sample => sample.Index,
                    sample => new ItemScore(sample.Values[metric], Chance(sample, metric), sample.Cluster)
                );
    }

    private static double Chance(TaskSample sample, string metric) =>
        sample.Options is { Count: > 0 } options && metric != ChoiceAccuracy.Greedy
            ? (sample.Gold is JsonArray golds ? golds.Count : 1.0) / options.Count
            : 0;

    private static Estimate Mean(TaskFile task, IReadOnlyList<TaskSample> samples, string metric)
    {
        double[] values = [.. samples.Select(sample => sample.Values[metric])];
        return task.Cluster is null
            ? Estimate.OfMean(values)
            : Estimate.OfMean(values, [.. samples.Select(sample => (sample.Cluster, sample.Cluster is null ? sample.Index : 0))]);
    }

    private static IReadOnlyList<string> MetricNames(TaskFile task) =>
        task.Kind == TaskKind.Generate ? GeneratedAnswers.MetricNames(task) : task.Metrics;

    private static IEnumerable<IGrouping<string, TaskSample>> ByPart(IEnumerable<TaskSample> samples) =>
        samples.GroupBy(sample => sample.Subtask ?? "", StringComparer.Ordinal);

    /// <summary>A metric over samples; null where no program was run that decides it.</summary>
    private static Estimate? Score(TaskFile task, string metric, IReadOnlyList<TaskSample> samples)
    {
        if (task.Kind == TaskKind.Rolling)
            return TextScore.Of(task, metric, samples);
        TaskSample[] scored = [.. samples.Where(sample => sample.Values.ContainsKey(metric))];
        return scored.Length == 0 ? null : Mean(task, scored, metric);
    }

    private static double? PublishedOf(TaskFile task) =>
        task.Published is { } published && published.Scores.TryGetValue(PublishedModel, out var score)
            ? (published.Metric == "loss" ? score : Math.Round(score / 100, 6))
            : null;

    private static double? Finite(double? value) => value is { } number && double.IsFinite(number) ? number : null;
}

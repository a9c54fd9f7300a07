using System.Text.Json.Nodes;
using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.Harness;

/// <summary>Scores of tasks from those of their items.</summary>
internal static class TaskAggregation
{
    private const int BootstrapSeed = 1;

    // The model whose published scores stand beside those measured here.
    private const string PublishedModel = "engram_27b";

    /// <summary>All scores of a task; the first is the headline.</summary>
    /// <param name="task">Not a group.</param>
    /// <param name="shotsAsked">Worked examples that each prompt was to have.</param>
    /// <param name="samples">At least one.</param>
    public static IReadOnlyList<TaskResult> Of(TaskFile task, int shotsAsked, IReadOnlyList<TaskSample> samples)
    {
        var results = new List<TaskResult>();
        foreach (var metric in task.Kind == TaskKind.Generate ? GeneratedAnswers.MetricNames(task) : task.Metrics)
        {
            if (task.Kind == TaskKind.Rolling)
            {
                results.Add(Result(task, metric, OfTexts(task, metric, samples), samples, shotsAsked, results.Count == 0));
                continue;
            }

            // A program that was not run leaves no value.
            TaskSample[] scored = [.. samples.Where(sample => sample.Values.ContainsKey(metric))];
            results.Add(
                Result(task, metric, scored.Length == 0 ? null : Mean(task, scored, metric), samples, shotsAsked, results.Count == 0)
            );
            if (task.Subtask is null || scored.Length == 0)
                continue;
            Estimate[] parts = [.. scored.GroupBy(sample => sample.Subtask).Select(part => Mean(task, [.. part], metric))];
            results.Add(
                Result(task, $"{metric},macro", Estimate.OfGroup(parts, weightBySize: false), samples, shotsAsked, headline: false)
            );
        }
        return results;
    }

    /// <summary>The score of a group from the headlines of its tasks.</summary>
    public static TaskResult OfGroup(TaskFile group, IReadOnlyList<TaskResult> headlines)
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
            Truncated = headlines.Sum(result => result.Truncated),
            Published = PublishedOf(group),
        };
    }

    /// <summary>What the headline metric says of each sample, by index.</summary>
    public static Dictionary<int, ItemScore> Headline(TaskFile task, IEnumerable<TaskSample> samples)
    {
        var metric = task.Kind == TaskKind.Generate ? GeneratedAnswers.MetricNames(task)[0] : task.Metrics[0];
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

    private static TaskResult Result(
        TaskFile task,
        string metric,
        Estimate? estimate,
        IReadOnlyList<TaskSample> samples,
        int shotsAsked,
        bool headline
    ) =>
        new(
            task.Task,
            metric,
            estimate?.Value,
            Finite(estimate?.StandardError),
            estimate?.Items ?? 0,
            samples.Min(sample => sample.Shots),
            samples[0].Memory,
            samples[0].Control,
            headline ? PublishedOf(task) : null
        )
        {
            Model = samples[0].Model,
            Suppressed = samples[0].Suppressed,
            ShotsAsked = shotsAsked,
            Truncated = samples.Count(sample => sample.Lost > 0),
            Version = task.Version,
        };

    private static double? PublishedOf(TaskFile task) =>
        task.Published is { } published && published.Scores.TryGetValue(PublishedModel, out var score)
            ? (published.Metric == "loss" ? score : Math.Round(score / 100, 6))
            : null;

    private static double? Finite(double? value) => value is { } number && double.IsFinite(number) ? number : null;

    private static Estimate OfTexts(TaskFile task, string metric, IReadOnlyList<TaskSample> samples)
    {
        double Statistic(IEnumerable<TaskSample> drawn)
        {
            var (nats, tokens, bytes, words) = (0.0, 0.0, 0.0, 0.0);
            foreach (var sample in drawn)
            {
                nats += sample.Values["nats"];
                tokens += sample.Values["tokens"];
                bytes += sample.Values["bytes"];
                words += sample.Values["words"];
            }
            return metric switch
            {
                "loss" => nats / tokens,
                "bits_per_byte" => Perplexity.BitsPerByte(nats, (long)bytes),
                "byte_perplexity" => Perplexity.PerByte(nats, (long)bytes),
                "word_perplexity" => Perplexity.PerWord(nats, (long)words),
                _ => throw new InvalidDataException(
                    $"task {task.Task}: no metric \"{metric}\" for texts; there are loss, bits_per_byte, byte_perplexity and word_perplexity."
                ),
            };
        }

        var error =
            samples.Count < 2
                ? double.NaN
                : Bootstrap.StandardError(
                    samples.Count,
                    indices =>
                    {
                        var drawn = new TaskSample[indices.Length];
                        for (var i = 0; i < indices.Length; i++)
                            drawn[i] = samples[indices[i]];
                        return Statistic(drawn);
                    },
                    BootstrapSeed
                );
        return new Estimate(Statistic(samples), error, samples.Count);
    }
}

using Engram.Evaluation.Text;

namespace Engram.Evaluation.Harness;

/// <summary>Which metrics there are, by the kind of a task.</summary>
internal static class TaskMetrics
{
    private static readonly string[] Choices = ["acc", "acc_norm", "acc_bytes", "acc_tok", "acc_uncond", "prefix_ppl", "greedy"];
    private static readonly string[] Texts = ["loss", "bits_per_byte", "byte_perplexity", "word_perplexity"];
    private static readonly string[] Answers =
    [
        "exact_match",
        "contains",
        "f1_drop",
        "em_drop",
        "f1_squad",
        "em_squad",
        "math_equal",
        "cloze_equal",
        "ruler_all",
        "ruler_any",
    ];
    private static readonly string[] Programs = ["pass@1", "exact_match"];

    /// <summary>The metrics of a task; of pass@k the one for the first answer, which stands for any k.</summary>
    /// <param name="kind">Its kind.</param>
    /// <param name="code">Whether programs check its answers.</param>
    public static IReadOnlyList<string> Names(TaskKind kind, bool code = false) =>
        kind switch
        {
            TaskKind.Choice => Choices,
            // What stands behind each of several prompts has no likelihood behind a neutral one of its own.
            TaskKind.Prefix => [.. Choices.Where(metric => metric != "acc_uncond")],
            TaskKind.Generate => code ? Programs : Answers,
            TaskKind.Rolling => Texts,
            _ => [],
        };

    /// <summary>Requires the metrics of a task to be such as its kind has.</summary>
    /// <param name="task">Not a group.</param>
    /// <param name="source">The task or its file, for messages.</param>
    /// <exception cref="InvalidDataException">One is not; the message says which there are.</exception>
    public static void Require(TaskFile task, string source)
    {
        if (task.Metrics.Count == 0)
            throw new InvalidDataException($"{source}: metrics is empty; name at least one of {Listed(task)}.");
        if (task.Metrics.Distinct().Count() < task.Metrics.Count)
            throw new InvalidDataException($"{source}: metrics names one twice: {string.Join(", ", task.Metrics)}.");
        var known = Names(task.Kind, task.Code is not null);
        foreach (var metric in task.Metrics)
            if (GeneratedAnswers.PassOf(metric) is { } k)
                RequirePass(task, metric, k, source);
            else if (!known.Contains(metric))
                throw new InvalidDataException(
                    $"{source}: metrics: kind {task.Kind.ToString().ToLowerInvariant()}{(task.Code is null ? "" : " with code")} has no metric \"{metric}\".{NearestNames.Ask(metric, known)} There are {Listed(task)}."
                );
    }

    private static void RequirePass(TaskFile task, string metric, int k, string source)
    {
        if (task.Code is null)
            throw new InvalidDataException($"{source}: metrics: {metric} needs a program that checks answers; name it as code.");
        if (k < 1 || k > task.Repeats)
            throw new InvalidDataException($"{source}: {metric} needs at least so many answers to an item; repeats is {task.Repeats}.");
    }

    private static string Listed(TaskFile task) => string.Join(", ", Names(task.Kind, task.Code is not null));
}

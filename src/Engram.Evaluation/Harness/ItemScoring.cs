using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Scoring;

namespace Engram.Evaluation.Harness;

/// <summary>Turns the scorer's answers to an item into a sample.</summary>
/// <param name="task">Not a group.</param>
/// <param name="answers">For generation tasks.</param>
/// <param name="blank">What all samples of the run have in common.</param>
internal sealed class ItemScoring(TaskFile task, GeneratedAnswers? answers, TaskSample blank)
{
    /// <summary>The hash that a sample carries.</summary>
    public static string HashOf(string prompt) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(prompt)));

    /// <summary>The sample of an item.</summary>
    /// <param name="item">The item.</param>
    /// <param name="sha256">Of its prompt.</param>
    /// <param name="given">Answers to its requests, in order.</param>
    /// <param name="cancellation">Ends a program that is running.</param>
    public TaskSample Score(TaskItem item, string sha256, ReadOnlySpan<ScoringAnswer> given, CancellationToken cancellation)
    {
        var sample = blank with
        {
            Index = item.Index,
            PromptSha256 = sha256,
            Place = item.Row.Place,
            Gold = item.Gold,
            Subtask = task.Subtask is { } column ? item.Row.Values[column]?.ToString() : null,
        };
        return task.Kind switch
        {
            TaskKind.Rolling => sample with { Values = TextValues(item.Prompt, given[0]) },
            TaskKind.Generate => Generated(sample, item, given[0].Text!, cancellation),
            _ => Chosen(sample, item, given),
        };
    }

    /// <summary>Quantities of a scored text, of which perplexities are made: nats, tokens, bytes, words.</summary>
    private static Dictionary<string, double> TextValues(string text, ScoringAnswer answer) =>
        new()
        {
            ["nats"] = -answer.LogLikelihood,
            ["tokens"] = answer.Tokens,
            ["bytes"] = Perplexity.Bytes(text),
            ["words"] = Perplexity.Words(text),
        };

    private TaskSample Generated(TaskSample sample, TaskItem item, string generated, CancellationToken cancellation)
    {
        var (prediction, values) = answers!.Score(item, generated, cancellation);
        return sample with
        {
            Prediction = JsonValue.Create(prediction),
            Generated = generated,
            Values = values,
            Correct = values.TryGetValue(GeneratedAnswers.MetricNames(task)[0], out var headline) ? headline >= 1 : null,
        };
    }

    private TaskSample Chosen(TaskSample sample, TaskItem item, ReadOnlySpan<ScoringAnswer> given)
    {
        var count = item.Options.Count;
        var scores = new ChoiceScore[count];
        for (var i = 0; i < count; i++)
        {
            double? alone = given.Length == 2 * count ? given[count + i].LogLikelihood : null;
            scores[i] = ChoiceScore.Of(item.Options[i], given[i].LogLikelihood, given[i].Tokens, alone);
        }
        var written = false; // whether the model would write a right option itself
        foreach (var gold in item.Golds)
            written |= given[gold].Greedy;
        var values = task.Metrics.ToDictionary(
            metric => metric,
            metric =>
                metric != ChoiceAccuracy.Greedy ? ChoiceAccuracy.Score(scores, item.Golds, RuleOf(metric))
                : written ? 1
                : 0
        );
        var rule = task.Metrics[0] == ChoiceAccuracy.Greedy ? ChoiceRule.Likelihood : RuleOf(task.Metrics[0]);
        return sample with
        {
            Prediction = JsonValue.Create(ChoiceAccuracy.Best(scores, rule)),
            Values = values,
            Correct = values[task.Metrics[0]] >= 1,
            Options = item.Options,
            Scores = [.. scores.Select(score => score.LogLikelihood)],
            Tokens = [.. scores.Select(score => score.Tokens)],
        };
    }

    private ChoiceRule RuleOf(string metric) =>
        ChoiceAccuracy.RuleOf(metric)
        ?? throw new InvalidDataException(
            $"task {task.Task}: no metric \"{metric}\" for options; there are acc, acc_norm, acc_bytes, acc_tok, acc_uncond, prefix_ppl and greedy."
        );
}

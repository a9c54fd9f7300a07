using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Scoring;
using Engram.Tokenization;

namespace Engram.Evaluation.Harness;

/// <summary>Turns the scorer's answers to an item into a sample.</summary>
/// <param name="task">Not a group.</param>
/// <param name="answers">For generation tasks.</param>
/// <param name="blank">What all samples of the run have in common.</param>
/// <param name="tokenizer">Of the model.</param>
/// <param name="prompts">Whether samples hold prompts and continuations.</param>
internal sealed class ItemScoring(TaskFile task, GeneratedAnswers? answers, TaskSample blank, Tokenizer tokenizer, bool prompts)
{
    /// <summary>The hash that a sample carries.</summary>
    public static string HashOf(string prompt) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(prompt)));

    /// <summary>The hash of all that the score of an item follows from: what is asked, and what is right.</summary>
    public static string HashOf(TaskItem item)
    {
        var parts = item.Requests.Select(request =>
            request switch
            {
                LikelihoodRequest likelihood => $"{likelihood.Context}\u001f{likelihood.Continuation}",
                RollingRequest rolling => rolling.Text,
                GenerationRequest generation =>
                    $"{generation.Context}\u001f{string.Join('\u001f', generation.StopStrings)}\u001f{generation.MaxNewTokens}\u001f{generation.Temperature}\u001f{generation.Seed}",
                _ => throw new ArgumentException($"Requests of the type {request.GetType().Name} are unknown.", nameof(item)),
            }
        );
        // A program may check an answer by any column.
        return HashOf(string.Join('\u001e', [.. parts, string.Join(',', item.Golds), item.Row.Values.ToJsonString()]));
    }

    /// <summary>The sample of an item.</summary>
    /// <param name="item">The item.</param>
    /// <param name="sha256">Its hash.</param>
    /// <param name="given">Answers to its requests, in order.</param>
    /// <param name="cancellation">Ends a program that is running.</param>
    public TaskSample Score(TaskItem item, string sha256, ReadOnlySpan<ScoringAnswer> given, CancellationToken cancellation)
    {
        var lost = Largest(given);
        var sample = blank with
        {
            Index = item.Index,
            PromptSha256 = HashOf(item.Prompt),
            ItemSha256 = sha256,
            Place = item.Row.Place,
            Gold = item.Gold,
            Shots = item.Shots,
            ShotsKept = ShotsKept(item, lost),
            Lost = lost,
            Prompt = prompts ? item.Prompt : null,
            Prompts = prompts ? item.Prompts : null,
            Choices = prompts && item.Options.Count > 0 ? item.Continuations : null,
            Subtask = task.Subtask is { } column ? item.Row.Values[column]?.ToString() : null,
            Cluster = task.Cluster is { } cluster ? Last(item.Row.Values[cluster])?.ToString() : null,
        };
        return task.Kind switch
        {
            TaskKind.Rolling => sample with { Values = TextValues(item.Prompt, given[0]) },
            TaskKind.Generate => Generated(sample, item, given, cancellation),
            _ => Chosen(sample, item, given),
        };
    }

    /// <summary>Worked examples of an item that stand whole in what the model reads; null where it reads the whole prompt.</summary>
    /// <param name="item">The item.</param>
    /// <param name="lost">Tokens at the beginning that it does not read, the one before every text included.</param>
    public int? ShotsKept(TaskItem item, int lost)
    {
        if (lost == 0 || item.Requests[0] is not (LikelihoodRequest or GenerationRequest))
            return null;
        // Prompts of options differ behind the examples only.
        var prompt = item.Requests[0] is LikelihoodRequest likelihood ? likelihood.Context : item.Prompt;
        var bytes = tokenizer.Encode(prompt).Take(lost - 1).Sum(id => tokenizer.TokenBytes(id).Length);
        var starts = item.Examples;
        var kept = starts.SkipLast(1).Count(start => Encoding.UTF8.GetByteCount(prompt.AsSpan(0, start)) >= bytes);
        var brought = item.Shots - (starts.Count - 1);
        return Encoding.UTF8.GetByteCount(prompt.AsSpan(0, starts[^1])) >= bytes ? kept + brought : kept;
    }

    private static JsonNode? Last(JsonNode? value) => value is JsonArray list ? list.LastOrDefault() : value;

    /// <summary>Quantities of a scored text, of which perplexities are made: nats, tokens, bytes, words.</summary>
    private static Dictionary<string, double> TextValues(string text, ScoringAnswer answer) =>
        new()
        {
            ["nats"] = -answer.LogLikelihood,
            ["tokens"] = answer.Tokens,
            ["bytes"] = Perplexity.Bytes(text),
            ["words"] = Perplexity.Words(text),
        };

    private static int Largest(ReadOnlySpan<ScoringAnswer> given)
    {
        var lost = 0;
        foreach (var answer in given)
            lost = Math.Max(lost, answer.Lost);
        return lost;
    }

    private TaskSample Generated(TaskSample sample, TaskItem item, ReadOnlySpan<ScoringAnswer> given, CancellationToken cancellation)
    {
        var texts = new string[given.Length];
        for (var i = 0; i < given.Length; i++)
            texts[i] = given[i].Text!;
        var scored = texts.Select(text => answers!.Score(item, text, cancellation)).ToArray();
        var values = GeneratedAnswers.Together([.. scored.Select(one => one.Values)]);
        return sample with
        {
            Prediction = JsonValue.Create(scored[0].Prediction),
            Generated = texts[0],
            Generations = texts.Length > 1 ? texts : null,
            Program = scored[0].Program,
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
            NeutralScores = given.Length == 2 * count ? [.. given[count..].ToArray().Select(answer => answer.LogLikelihood)] : null,
            Tokens = [.. scores.Select(score => score.Tokens)],
        };
    }

    private ChoiceRule RuleOf(string metric) =>
        ChoiceAccuracy.RuleOf(metric)
        ?? throw new InvalidDataException(
            $"task {task.Task}: no metric \"{metric}\" for options; there are acc, acc_norm, acc_bytes, acc_tok, acc_uncond, prefix_ppl and greedy."
        );
}

using System.Text.Json.Nodes;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.Ruler;

/// <summary>Answers to samples, as lines of a file of samples.</summary>
internal static class RulerSamples
{
    /// <summary>The one value of a sample: the share of what was asked for that the answer has, in [0, 1].</summary>
    public const string Score = "score";

    // Of the rules by which samples are made and scored.
    private const int Version = 1;

    /// <summary>What all answers of a run follow from beside the sample: the model, what its memory does, length and seed.</summary>
    public static string KeyOf(RulerOptions options) =>
        ItemScoring.HashOf(
            string.Join(
                '\n',
                "ruler",
                Version,
                options.ModelIdentity,
                options.Model,
                options.Memory,
                options.Suppression,
                options.Suppression?.Replacement,
                options.Length,
                options.Seed
            )
        )[..16];

    /// <summary>
    /// The hash of all that the score of a sample follows from: what is read, how much may be written, and what is right.
    /// </summary>
    public static string HashOf(RulerItem item) =>
        ItemScoring.HashOf(
            string.Join('\u001e', [item.Context, $"{item.Task.NewTokens}", $"{item.Task.Metric}", .. item.Draft.References])
        );

    /// <summary>The line of an answer.</summary>
    public static TaskSample Of(RulerItem item, string answer, RulerOptions options, string key)
    {
        var score = RulerMatch.Score(answer, item.Draft.References, item.Task.Metric);
        return new TaskSample
        {
            Task = item.Task.Name,
            Index = item.Index,
            PromptSha256 = ItemScoring.HashOf(item.Context),
            ItemSha256 = HashOf(item),
            Prediction = JsonValue.Create(answer),
            Gold = new JsonArray([.. item.Draft.References.Select(reference => JsonValue.Create(reference))]),
            Correct = score >= 1,
            Values = new Dictionary<string, double> { [Score] = score },
            Place = $"RULER at {options.Length} tokens, seed {options.Seed}",
            Model = options.Model,
            Memory = options.Memory,
            Suppressed = options.Suppression?.ToString(),
            Control = "none",
            Shots = 0,
            Key = key,
        };
    }
}

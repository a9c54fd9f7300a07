using Engram.Corpora.World;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Scoring;
using Engram.Models.Memory;

namespace Engram.Evaluation.World;

/// <summary>
/// Asks a model the questions of a synthetic world, as the harness's tasks of the same names do: each choice is a continuation of the
/// question. What the model would write itself follows from the right one.
/// </summary>
public static class WorldEvaluation
{
    /// <summary>The outcomes of questions, in their order.</summary>
    /// <param name="model">Stays the caller's.</param>
    /// <param name="questions">Questions of any kinds.</param>
    /// <param name="memory">The memory to read; null adds nothing.</param>
    /// <param name="suppression">A part of it that is silenced; null for none.</param>
    /// <param name="progress">Hears of answered choices.</param>
    /// <param name="cancellation">Ends between two choices.</param>
    /// <exception cref="ArgumentException">There is no such part of the memory.</exception>
    /// <exception cref="InvalidDataException">
    /// The configuration names no start token, or the model's logits are not finite.
    /// </exception>
    public static IReadOnlyList<WorldOutcome> Ask(
        IScoredModel model,
        IReadOnlyList<WorldQuestion> questions,
        MemoryBank? memory,
        Suppression? suppression = null,
        IProgress<ScoringProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(questions);
        ScoringRequest[] requests =
        [
            .. questions.SelectMany(question => question.Choices.Select(choice => new LikelihoodRequest(question.Prompt, $" {choice}"))),
        ];
        using var silenced = new SilencedMemory(memory, suppression, cancellation);
        var answers = new Scorer(model, silenced.Prompts, answers: silenced.Answers).Answer(requests, progress, cancellation: cancellation);
        var outcomes = new WorldOutcome[questions.Count];
        for (var (i, at) = (0, 0); i < outcomes.Length; at += questions[i++].Choices.Count)
            outcomes[i] = Outcome(questions[i], [.. answers.Skip(at).Take(questions[i].Choices.Count)]);
        return outcomes;
    }

    private static WorldOutcome Outcome(WorldQuestion question, ScoringAnswer[] choices)
    {
        ChoiceScore[] scores = [.. choices.Select((choice, i) => ChoiceScore.Of(question.Choices[i], choice.LogLikelihood, choice.Tokens))];
        var gold = choices[question.Gold];
        return new WorldOutcome(question, gold.Greedy, ChoiceAccuracy.Best(scores, ChoiceRule.PerToken), -gold.LogLikelihood);
    }
}

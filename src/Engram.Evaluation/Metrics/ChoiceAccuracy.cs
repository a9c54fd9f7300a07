namespace Engram.Evaluation.Metrics;

/// <summary>Multiple choice: which option a model prefers and whether it is a right one.</summary>
public static class ChoiceAccuracy
{
    /// <summary>
    /// Name of the metric that asks whether the model would write a right option itself: whether each of its tokens is the likeliest, as
    /// lm-evaluation-harness's LAMBADA counts.
    /// </summary>
    public const string Greedy = "greedy";

    /// <summary>The rule of a metric's name: acc, acc_norm, acc_bytes, acc_tok, acc_uncond, prefix_ppl; null for other names.</summary>
    public static ChoiceRule? RuleOf(string metric) =>
        metric switch
        {
            "acc" => ChoiceRule.Likelihood,
            "acc_norm" => ChoiceRule.PerCharacter,
            "acc_bytes" => ChoiceRule.PerByte,
            "acc_tok" => ChoiceRule.PerToken,
            "acc_uncond" => ChoiceRule.Unconditional,
            "prefix_ppl" => ChoiceRule.PrefixPerplexity,
            _ => null,
        };

    /// <summary>
    /// The value by which an option is chosen. An option without characters, bytes or tokens is never preferred where they are counted.
    /// </summary>
    /// <exception cref="InvalidOperationException">The rule needs the unconditional likelihood, which is absent.</exception>
    public static double Value(in ChoiceScore score, ChoiceRule rule) =>
        rule switch
        {
            ChoiceRule.Likelihood => score.LogLikelihood,
            ChoiceRule.PerCharacter => Mean(score.LogLikelihood, score.Characters),
            ChoiceRule.PerByte => Mean(score.LogLikelihood, score.Bytes),
            ChoiceRule.PerToken or ChoiceRule.PrefixPerplexity => Mean(score.LogLikelihood, score.Tokens),
            ChoiceRule.Unconditional => score.LogLikelihood
                - (
                    score.Unconditional
                    ?? throw new InvalidOperationException(
                        "acc_uncond needs each option's likelihood behind the neutral prompt; ask the scorer for it."
                    )
                ),
            _ => throw new ArgumentOutOfRangeException(nameof(rule), rule, "unknown rule"),
        };

    /// <summary>The index of the preferred option.</summary>
    /// <param name="scores">One score an option.</param>
    /// <param name="rule">How options are compared.</param>
    /// <exception cref="ArgumentException">There is no option, or a score is not a number.</exception>
    public static int Best(ReadOnlySpan<ChoiceScore> scores, ChoiceRule rule)
    {
        if (scores.IsEmpty)
            throw new ArgumentException("A question without options cannot be answered.", nameof(scores));
        var (best, highest) = (0, double.NaN);
        for (var i = 0; i < scores.Length; i++)
        {
            var value = Value(scores[i], rule);
            if (double.IsNaN(value))
                throw new ArgumentException($"The score of option {i} is not a number.", nameof(scores));
            if (i == 0 || value > highest)
                (best, highest) = (i, value);
        }
        return best;
    }

    /// <summary>1 if the preferred option is one of the right ones, else 0.</summary>
    /// <param name="scores">One score an option.</param>
    /// <param name="golds">Indices of the right options; any of them counts.</param>
    /// <param name="rule">How options are compared.</param>
    /// <exception cref="ArgumentException">There is no option or no gold, or a gold is outside the list.</exception>
    public static double Score(ReadOnlySpan<ChoiceScore> scores, IReadOnlyCollection<int> golds, ChoiceRule rule)
    {
        if (golds.Count == 0)
            throw new ArgumentException("A question without a right option cannot be scored.", nameof(golds));
        foreach (var gold in golds)
            if (gold < 0 || gold >= scores.Length)
                throw new ArgumentException(
                    $"The right option {gold} is outside the list of {scores.Length} options (counted from 0).",
                    nameof(golds)
                );
        return golds.Contains(Best(scores, rule)) ? 1 : 0;
    }

    private static double Mean(double logLikelihood, int length) => length == 0 ? double.NegativeInfinity : logLikelihood / length;
}

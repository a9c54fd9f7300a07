using Engram.Evaluation.Metrics;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>
/// The rules of lm-evaluation-harness (<c>lm_eval/api/task.py</c>, <c>process_results</c> of multiple choice) and of evaluation.md §1, by
/// cases worked by hand.
/// </summary>
public class ChoiceAccuracyTests
{
    // "no" has 2 characters, 2 bytes; "naïve 🙂" 7 scalars (8 UTF-16 units), 11 bytes.
    private static readonly ChoiceScore[] Scores =
    [
        ChoiceScore.Of("no", -3, 1, -2.5), // per character -1.5, per byte -1.5, per token -3, against neutral -0.5
        ChoiceScore.Of("naïve 🙂", -7.7, 4, -9), // per character -1.1, per byte -0.7, per token -1.925, against neutral +1.3
        ChoiceScore.Of("naive one", -9, 6, -8), // per character -1, per byte -1, per token -1.5, against neutral -1
    ];

    [Theory]
    [InlineData("acc", 0)]
    [InlineData("acc_norm", 2)]
    [InlineData("acc_bytes", 1)]
    [InlineData("acc_tok", 2)]
    [InlineData("prefix_ppl", 2)]
    [InlineData("acc_uncond", 1)]
    public void Each_rule_prefers_another_option(string metric, int expected)
    {
        var rule = ChoiceAccuracy.RuleOf(metric)!.Value;
        Assert.Equal(expected, ChoiceAccuracy.Best(Scores, rule));
        for (var gold = 0; gold < 3; gold++)
            Assert.Equal(gold == expected ? 1 : 0, ChoiceAccuracy.Score(Scores, [gold], rule));
        Assert.Equal(1, ChoiceAccuracy.Score(Scores, [(expected + 1) % 3, expected], rule));
    }

    [Fact]
    public void Characters_are_scalars_and_bytes_are_those_of_utf8()
    {
        Assert.Equal((7, 11), (Scores[1].Characters, Scores[1].Bytes));
        Assert.Equal(8, "naïve 🙂".Length);
        Assert.Equal((4, 12), (ChoiceScore.Of("答案是：", 0, 1).Characters, ChoiceScore.Of("答案是：", 0, 1).Bytes));
    }

    [Fact]
    public void The_first_of_equals_wins() =>
        Assert.Equal(1, ChoiceAccuracy.Best([new(-2, 1, 1, 1), new(-1, 1, 1, 1), new(-1, 1, 1, 1)], ChoiceRule.Likelihood));

    [Fact]
    public void Single_letters_rank_alike_under_every_length()
    {
        ChoiceScore[] letters = [ChoiceScore.Of("A", -1.5, 1), ChoiceScore.Of("B", -0.5, 1), ChoiceScore.Of("C", -2, 1)];
        foreach (var rule in (ChoiceRule[])[ChoiceRule.Likelihood, ChoiceRule.PerCharacter, ChoiceRule.PerByte, ChoiceRule.PerToken])
            Assert.Equal(1, ChoiceAccuracy.Best(letters, rule));
    }

    [Fact]
    public void An_empty_option_is_never_preferred_per_character() =>
        Assert.Equal(1, ChoiceAccuracy.Best([ChoiceScore.Of("", -0.1, 0), ChoiceScore.Of("long", -40, 1)], ChoiceRule.PerCharacter));

    [Fact]
    public void What_cannot_be_scored_is_an_error_and_no_zero()
    {
        Assert.Throws<ArgumentException>(() => ChoiceAccuracy.Best([], ChoiceRule.Likelihood));
        Assert.Throws<ArgumentException>(() => ChoiceAccuracy.Best([new(double.NaN, 1, 1, 1)], ChoiceRule.Likelihood));
        Assert.Throws<ArgumentException>(() => ChoiceAccuracy.Score(Scores, [], ChoiceRule.Likelihood));
        Assert.Throws<ArgumentException>(() => ChoiceAccuracy.Score(Scores, [3], ChoiceRule.Likelihood));
        Assert.Throws<InvalidOperationException>(() => ChoiceAccuracy.Best([ChoiceScore.Of("x", -1, 1)], ChoiceRule.Unconditional));
        Assert.Null(ChoiceAccuracy.RuleOf("f1"));
    }
}

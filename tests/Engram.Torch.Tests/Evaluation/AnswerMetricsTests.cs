using Engram.Evaluation.Metrics;
using Engram.Evaluation.Text;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>Exact match, contains, DROP, SQuAD and TriviaQA by cases worked by hand. Each rule's source stands at its class.</summary>
public class AnswerMetricsTests
{
    /// <summary>lm-evaluation-harness's <c>tasks/gsm8k</c>: the regexes that its exact match deletes.</summary>
    [Theory]
    [InlineData("$1,250.", "1250", 1)]
    [InlineData("18", "Natalia sold\n#### 18", 1)] // the rationale in the reference is deleted by "(?s).*#### "
    [InlineData("18.0", "18", 0)]
    [InlineData("-3", "3", 0)]
    public void Gsm8k_compares_without_dollars_commas_and_final_period(string prediction, string gold, double expected) =>
        Assert.Equal(expected, new ExactMatch([",", @"\$", "(?s).*#### ", @"\.$"], ignoreCase: true).Score(prediction, [gold]));

    [Fact]
    public void Exact_match_deletes_only_what_it_is_told()
    {
        Assert.Equal(0, new ExactMatch().Score("Paris.", ["paris"]));
        Assert.Equal(1, new ExactMatch(ignoreCase: true, ignorePunctuation: true).Score("Paris.", ["London", "paris"]));
        Assert.Equal(1, new ExactMatch(ignoreDigits: true).Score("b12", ["b"]));
        // ASCII punctuation only, as Python's string.punctuation
        Assert.Equal(0, new ExactMatch(ignorePunctuation: true).Score("a。", ["a"]));
        Assert.Equal("ab", new ExactMatch(["x+", "y"]).Normalise("axxyb"));
        Assert.Contains("\"(\"", Assert.Throws<InvalidDataException>(() => new ExactMatch(["("])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("He was a Politician and writer", "politician", 1)] // capitalised
    [InlineData("he was a politician", "Politician", 1)] // lower-cased
    [InlineData("USA", "usa", 0)] // neither "usa" nor "Usa" occurs
    [InlineData("", "", 0)]
    public void PopQA_counts_an_answer_that_occurs(string prediction, string answer, double expected) =>
        Assert.Equal(expected, Contains.Score(prediction, [answer]));

    /// <summary>The goldens of evaluation.md §4.2, then numbers, dates, several spans and several golds.</summary>
    [Theory]
    [InlineData("12 apples", "12", 0, 0.67)] // bags {12.0, apples} and {12.0}: precision 1/2, recall 1
    [InlineData("The Eagles", "Eagles", 1, 1)]
    [InlineData("5", "6", 0, 0)]
    [InlineData("Bob Smith", "Bob Smith|Ann Lee", 0, 0.5)]
    [InlineData("Ann Lee|Bob Smith", "Bob Smith|Ann Lee", 1, 1)]
    [InlineData("5 yards", "5 yard line", 0, 0.4)] // {5.0, yards}, {5.0, yard, line}: 1/2 and 1/3
    [InlineData("6 yard line", "5 yard line", 0, 0)] // the gold's number is missing
    [InlineData("yard line", "5 yard line", 0, 0)]
    [InlineData("12.0", "12", 1, 1)] // both "12.0"
    [InlineData("1,000", "1000", 1, 1)] // the comma is no part of a Python float, so it is deleted
    [InlineData("well-known man", "well known man", 1, 1)]
    [InlineData("", "sixth terminal", 0, 0)]
    [InlineData("the sixth terminal", "sixth terminal", 1, 1)]
    [InlineData("the the fox", "fox", 1, 1)]
    [InlineData("fox fox", "fox", 0, 1)] // bags are sets, the strings differ
    public void Drop_scores_bags_numbers_and_spans(string prediction, string gold, double exact, double f1) =>
        Assert.Equal((exact, f1), DropScore.Score(prediction.Split('|'), [gold.Split('|')]));

    [Fact]
    public void Drop_takes_the_best_gold_and_leaves_out_empty_ones()
    {
        Assert.Equal(
            (1, 1),
            DropScore.Score(
                ["3"],
                [
                    ["2"],
                    ["3"],
                    ["4 or 3"],
                ]
            )
        );
        Assert.Equal(
            (0, 0),
            DropScore.Score(
                [""],
                [
                    [""],
                    [" "],
                ]
            )
        );
        Assert.Equal(
            (0, 0.67),
            DropScore.Score(
                ["May 1917"],
                [
                    ["1 May 1917", "x"],
                    ["17 May"],
                    ["May 1917 end times"],
                ]
            )
        ); // {may, 1917.0} against {may, 1917.0, end, times}
    }

    [Fact]
    public void Drop_aligns_spans_optimally_and_not_greedily()
    {
        // Greedy would give "a b" to "a b c" (0.8) and leave "a c d" with "x y" (0); together 0.8 + 0.
        // Optimal: "a b c" with "a c d" (bags without the article: {b, c} and {c, d}: 0.5) and "b" with "b x" (0.67).
        Assert.Equal(
            0.58,
            DropScore
                .Score(
                    ["b c", "b x"],
                    [
                        ["c d", "b"],
                    ]
                )
                .F1
        );
        double[,] gains =
        {
            { 0.9, 0.8, 0 },
            { 0.8, 0.1, 0 },
        };
        Assert.Equal([1, 0], Assignment.Best(gains));
    }

    [Fact]
    public void Assignment_equals_enumeration()
    {
        var random = new Random(5);
        for (var round = 0; round < 200; round++)
        {
            var gains = new double[random.Next(1, 5), random.Next(1, 5)];
            for (var i = 0; i < gains.GetLength(0); i++)
            for (var j = 0; j < gains.GetLength(1); j++)
                gains[i, j] = random.Next(3) / 2.0;
            var columns = Assignment.Best(gains);
            Assert.Equal(Math.Min(gains.GetLength(0), gains.GetLength(1)), columns.Where(column => column >= 0).Distinct().Count());
            Assert.Equal(BestSum(gains, 0, []), columns.Select((column, row) => column < 0 ? 0 : gains[row, column]).Sum(), 12);
        }
    }

    private static double BestSum(double[,] gains, int row, HashSet<int> taken)
    {
        if (row == gains.GetLength(0))
            return 0;
        var best = BestSum(gains, row + 1, taken);
        for (var column = 0; column < gains.GetLength(1); column++)
            if (taken.Add(column))
            {
                best = Math.Max(best, gains[row, column] + BestSum(gains, row + 1, taken));
                taken.Remove(column);
            }
        return best;
    }

    [Theory]
    [InlineData("the Cat sat", "a cat sat!", 1, 1)]
    [InlineData("cat cat dog", "cat dog dog", 0, 0.6666666667)] // multiplicities: min(2,1) + min(1,2) = 2 of 3 and 3
    [InlineData("bird", "cat", 0, 0)]
    [InlineData("", "", 1, 1)]
    [InlineData("cat", "", 0, 0)]
    public void Squad_counts_words_with_multiplicity(string prediction, string gold, double exact, double f1)
    {
        var score = SquadScore.Score(prediction, [gold]);
        Assert.Equal(exact, score.ExactMatch);
        Assert.Equal(f1, score.F1, 9);
    }

    [Fact]
    public void Squad_takes_the_best_gold_and_no_gold_means_no_answer()
    {
        Assert.Equal((1, 1), SquadScore.Score("Denver Broncos", ["Broncos", "The Denver Broncos"]));
        Assert.Equal((1, 1), SquadScore.Score("", []));
        Assert.Equal((0, 0), SquadScore.Score("something", []));
    }

    [Fact]
    public void TriviaQA_compares_with_every_alias()
    {
        var em = new ExactMatch(normalise: AnswerText.Trivia);
        Assert.Equal(1, em.Score("the Sunset_Boulevard!", ["Sunset Blvd", "Sunset Boulevard"]));
        Assert.Equal(1, em.Score("Campbell Bannerman", ["Campbell-Bannerman"])); // punctuation becomes a space
        Assert.Equal(0, em.Score("CampbellBannerman", ["Campbell-Bannerman"]));
        // The harness's own triviaqa task only lower-cases and deletes punctuation, and keeps articles.
        var harness = new ExactMatch(ignoreCase: true, ignorePunctuation: true);
        Assert.Equal(0, harness.Score("The Exile", ["exile"]));
        Assert.Equal(1, harness.Score("Exile.", ["exile"]));
    }
}

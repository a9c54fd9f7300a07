using Engram.Evaluation.Metrics;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>Means, errors, pass@k and perplexities against hand-worked numbers and enumeration.</summary>
public class StatisticsTests
{
    [Fact]
    public void Mean_has_the_closed_form()
    {
        // p = 3/4: √(0.75 · 0.25 / 3) = 0.25, lm-evaluation-harness's mean_stderr.
        var estimate = Estimate.OfMean([1, 1, 0, 1]);
        Assert.Equal((0.75, 0.25, 4), (estimate.Value, estimate.StandardError, estimate.Items));
        Assert.True(double.IsNaN(Estimate.OfMean([1]).StandardError));
        Assert.Throws<ArgumentException>(() => Estimate.OfMean([]));
    }

    [Fact]
    public void Groups_are_weighted_by_size_or_not()
    {
        Estimate[] parts = [Estimate.OfMean([1, 1, 0, 1]), Estimate.OfMean([0, 1])]; // 0.75 ± 0.25 of 4, 0.5 ± 0.5 of 2
        var (micro, macro) = (Estimate.OfGroup(parts, weightBySize: true), Estimate.OfGroup(parts, weightBySize: false));
        Assert.Equal(4 / 6.0, micro.Value, 12);
        Assert.Equal(0.625, macro.Value, 12);
        Assert.Equal(6, micro.Items);
        // pooled: (3·4·0.0625 + 1·2·0.25) / (6 − 2) = 0.3125, over 6 items.
        Assert.Equal(Math.Sqrt(0.3125 / 6), micro.StandardError, 12);
        Assert.Equal(Math.Sqrt(0.0625 + 0.25) / 2, macro.StandardError, 12);
    }

    [Theory]
    [InlineData(10, 3, 1, 0.3)]
    [InlineData(10, 3, 5, 0.9166666667)]
    [InlineData(10, 6, 5, 1)]
    [InlineData(1, 0, 1, 0)]
    public void Pass_at_k_equals_the_goldens(int n, int c, int k, double expected) => Assert.Equal(expected, PassAtK.Score(n, c, k), 9);

    [Fact]
    public void Pass_at_k_equals_enumeration()
    {
        for (var n = 1; n <= 8; n++)
        for (var c = 0; c <= n; c++)
        for (var k = 1; k <= n; k++)
        {
            // Every k-subset of n programs, the first c of which pass.
            var (hits, all) = (0, 0);
            for (var subset = 0; subset < 1 << n; subset++)
            {
                if (int.PopCount(subset) != k)
                    continue;
                all++;
                hits += (subset & ((1 << c) - 1)) != 0 ? 1 : 0;
            }
            Assert.Equal((double)hits / all, PassAtK.Score(n, c, k), 12);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => PassAtK.Score(3, 1, 4));
    }

    [Fact]
    public void Perplexities_relate_nats_to_words_and_bytes()
    {
        Assert.Equal(Math.E * Math.E, Perplexity.PerWord(6, 3), 12);
        Assert.Equal(2, Perplexity.PerByte(4 * Math.Log(2), 4), 12);
        Assert.Equal(1, Perplexity.BitsPerByte(4 * Math.Log(2), 4), 12);
        Assert.Equal(5, Perplexity.Bytes("naïf"));
        // Python: re.split(r"\s+", " a  b\n") is ["", "a", "b", ""].
        Assert.Equal([4, 2, 1, 1], ((string[])[" a  b\n", "a b", "ab", ""]).Select(Perplexity.Words));
    }

    [Fact]
    public void Bootstrap_of_a_mean_agrees_with_the_closed_form()
    {
        double[] scores = [.. Enumerable.Range(0, 200).Select(i => i % 4 == 0 ? 1.0 : 0)];
        var closed = Estimate.OfMean(scores).StandardError;
        double Drawn(int seed) =>
            Bootstrap.StandardError(
                scores.Length,
                indices =>
                {
                    var sum = 0.0;
                    foreach (var i in indices)
                        sum += scores[i];
                    return sum / indices.Length;
                },
                seed
            );
        Assert.InRange(Drawn(1), 0.9 * closed, 1.1 * closed);
        Assert.Equal(Drawn(7), Drawn(7));
        Assert.NotEqual(Drawn(7), Drawn(8));
    }

    [Fact]
    public void Paired_bootstrap_sees_a_difference_that_unpaired_errors_hide()
    {
        // Both models vary much from item to item, and the first is always right on two items more of each ten.
        double[] other = [.. Enumerable.Range(0, 100).Select(i => i % 2 == 0 ? 1.0 : 0)];
        double[] one = [.. other.Select((score, i) => i % 10 is 1 or 3 ? 1.0 : score)];
        var difference = Bootstrap.Compare(one, other, seed: 3);
        Assert.Equal(0.2, difference.Difference, 12);
        Assert.InRange(difference.StandardError, 0.036, 0.044); // √(0.2 · 0.8 / 100) = 0.04
        Assert.InRange(difference.Low, 0.1, 0.15);
        Assert.InRange(difference.High, 0.25, 0.3);
        Assert.InRange(difference.PValue, 0.001, 0.01);
        Assert.Equal(difference, Bootstrap.Compare(one, other, seed: 3));
        var back = Bootstrap.Compare(other, one, seed: 3);
        Assert.Equal((-difference.Difference, difference.PValue), (back.Difference, back.PValue));
        Assert.Equal(1, Bootstrap.Compare(one, one, seed: 3).PValue);
        Assert.Throws<ArgumentException>(() => Bootstrap.Compare(one, [1], seed: 3));
    }

    /// <summary>A hundred items are ten if those of each ten are alike: the error is that of ten independent ones.</summary>
    [Fact]
    public void Paired_bootstrap_draws_groups_as_a_whole()
    {
        double[] one = [.. Enumerable.Range(0, 100).Select(i => i / 10 < 5 ? 1.0 : 0)];
        double[] other = new double[100];
        string[] clusters = [.. Enumerable.Range(0, 100).Select(i => $"{i / 10}")];
        var alone = Bootstrap.Compare(one, other, seed: 3);
        var together = Bootstrap.Compare(one, other, seed: 3, clusters: clusters);
        Assert.Equal((0.5, 100), (together.Difference, together.Items));
        Assert.InRange(alone.StandardError, 0.045, 0.055); // √(0.25 / 100)
        Assert.InRange(together.StandardError, 0.142, 0.174); // √(0.25 / 10)
        Assert.Equal(alone, Bootstrap.Compare(one, other, seed: 3, clusters: new string?[100]));
        Assert.Throws<ArgumentException>(() => Bootstrap.Compare(one, other, seed: 3, clusters: ["one"]));
    }
}

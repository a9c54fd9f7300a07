using Engram.Models.Sampling;

namespace Engram.Torch.Tests.Generation;

public sealed class SamplerTests
{
    private static readonly float[] Logits = [0.3f, -1.2f, 2.5f, 0.3f, -30, 1.9f, 2.4f, -0.7f, 9]; // the last one is not eligible

    private const int Eligible = 8;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(0.5, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 0.9)]
    [InlineData(1.5, 0.6)]
    [InlineData(0.7, 0.01)]
    public void Draws_follow_the_distribution(double temperature, double topP)
    {
        const int Draws = 40_000;
        var expected = Distribution(temperature, topP);
        var counts = new int[Eligible];
        var sampler = new Sampler(
            new SamplingOptions
            {
                Temperature = temperature,
                TopP = topP,
                Seed = 11,
            }
        );
        for (var i = 0; i < Draws; i++)
            counts[sampler.Next([.. Logits], Eligible)]++;
        for (var id = 0; id < Eligible; id++)
        {
            // Five standard deviations of a binomial count; ids outside the nucleus never occur.
            var deviation = 5 * Math.Sqrt(Draws * expected[id] * (1 - expected[id]));
            Assert.InRange(
                counts[id],
                Draws * expected[id] - deviation - 1e-6,
                Draws * expected[id] + deviation + 1e-6 + (expected[id] > 0 ? 1 : 0)
            );
        }
    }

    [Fact]
    public void Temperature_zero_takes_the_first_largest()
    {
        var sampler = new Sampler(new SamplingOptions { Temperature = 0 });
        Assert.Equal(2, sampler.Next([.. Logits], Eligible));
        Assert.Equal(8, sampler.Next([.. Logits], 9));
        Assert.Equal(1, sampler.Next([-1, 4, 4, 4], 4));
    }

    [Theory]
    [InlineData(3, 1, 0, new[] { 2, 5, 6 })]
    [InlineData(1, 1, 0, new[] { 2 })]
    [InlineData(100, 1, 0.5, new[] { 2, 5, 6 })] // e^(1.9 − 2.5) = 0.55, e^(0.3 − 2.5) = 0.11
    [InlineData(0, 1, 0.6, new[] { 2, 6 })]
    [InlineData(0, 1, 1, new[] { 2 })]
    [InlineData(3, 0.6, 0, new[] { 2, 6 })] // of the three: 0.41, 0.37, 0.22
    public void Only_the_tokens_that_every_option_keeps_are_drawn(int topK, double topP, double minP, int[] expected)
    {
        var sampler = new Sampler(
            new SamplingOptions
            {
                Temperature = 1,
                TopK = topK,
                TopP = topP,
                MinP = minP,
            }
        );
        var seen = new SortedSet<int>();
        for (var i = 0; i < 400; i++)
            seen.Add(sampler.Next([.. Logits], Eligible));
        Assert.Equal(expected, seen);
    }

    [Fact]
    public void A_repetition_penalty_changes_each_token_of_the_text_once()
    {
        var sampler = new Sampler(new SamplingOptions { Temperature = 0, RepetitionPenalty = 1.2 });
        float[] logits = [.. Logits];
        // 2.5 / 1.2 = 2.08 is below 2.4; the last id of the text is not eligible.
        Assert.Equal(6, sampler.Next(logits, Eligible, [2, 1, 2, 8]));
        Assert.Equal(2.5f / 1.2f, logits[2], 1e-6f);
        Assert.Equal(-1.2f * 1.2f, logits[1], 1e-6f);
        Assert.Equal((0.3f, 9f), (logits[0], logits[8]));
    }

    [Fact]
    public void Stop_texts_are_found_however_the_text_is_cut()
    {
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => "ab"[random.Next(2)]));
            string[] stops =
            [
                .. Enumerable
                    .Range(0, random.Next(0, 3))
                    .Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => "ab"[random.Next(2)]))),
            ];
            var (found, result, looker) = (false, "", new StopTexts(stops));
            for (var from = 0; from < text.Length && !found; )
            {
                var to = Math.Min(text.Length, from + random.Next(1, 4));
                result += looker.Append(text[from..to]);
                (from, found) = (to, looker.Found);
            }

            result += looker.Flush();
            // Pieces end where they end: a stop text that is complete first counts, of those in the same piece the one that begins first.
            var expected = stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0).ToArray();
            Assert.Equal(expected.Length > 0, found);
            if (!found)
                Assert.Equal(text, result);
            else
                Assert.Contains(result.Length, expected);
        }
    }

    [Fact]
    public void Equal_probabilities_are_kept_by_id()
    {
        // 24 equal tokens, more than an unstable sort leaves in order: a nucleus of 5.76 of them is the first six.
        var sampler = new Sampler(new SamplingOptions { TopP = 0.24 });
        var logits = Enumerable.Range(0, 40).Select(id => id % 5 < 3 ? 1f : -20f).ToArray();
        var seen = new SortedSet<int>();
        for (var i = 0; i < 400; i++)
            seen.Add(sampler.Next([.. logits], 40));
        Assert.Equal([0, 1, 2, 5, 6, 7], seen);
    }

    [Theory]
    [InlineData(1e-3)]
    [InlineData(1e-300)]
    public void Low_temperature_is_greedy_without_overflow(double temperature)
    {
        var sampler = new Sampler(new SamplingOptions { Temperature = temperature, TopP = 0.999 });
        for (var i = 0; i < 50; i++)
            Assert.Equal(2, sampler.Next([.. Logits], Eligible));
    }

    [Fact]
    public void Same_seed_draws_the_same_and_another_seed_does_not()
    {
        static int[] Draw(int seed)
        {
            var sampler = new Sampler(new SamplingOptions { Seed = seed, TopP = 0.95 });
            return [.. Enumerable.Range(0, 60).Select(_ => sampler.Next([.. Logits], Eligible))];
        }

        Assert.Equal(Draw(5), Draw(5));
        Assert.NotEqual(Draw(5), Draw(6));
    }

    [Fact]
    public void Options_out_of_range_are_named()
    {
        foreach (
            var (options, value) in new (SamplingOptions, string)[]
            {
                (new() { Temperature = -1 }, "-1"),
                (new() { Temperature = double.NaN }, "NaN"),
                (new() { Temperature = double.PositiveInfinity }, "Infinity"),
                (new() { TopP = 0 }, "Top-p 0"),
                (new() { TopP = 1.5 }, "1.5"),
                (new() { TopP = double.NaN }, "NaN"),
                (new() { MaxNewTokens = 0 }, "0"),
                (new() { TopK = -1 }, "Top-k -1"),
                (new() { MinP = 1.5 }, "Min-p 1.5"),
                (new() { MinP = double.NaN }, "NaN"),
                (new() { RepetitionPenalty = 0 }, "penalty 0"),
                (new() { Stop = [""] }, "empty"),
            }
        )
            Assert.Contains(value, Assert.Throws<ArgumentException>(() => new Sampler(options)).Message);
    }

    /// <summary>Brute force in double precision: tokens from the likeliest down, until their probability reaches top-p.</summary>
    private static double[] Distribution(double temperature, double topP)
    {
        var weights = Logits.Take(Eligible).Select(logit => Math.Exp(logit / temperature)).ToArray();
        var total = weights.Sum();
        var kept = new double[Eligible];
        var mass = 0.0;
        foreach (var id in Enumerable.Range(0, Eligible).OrderByDescending(id => weights[id]).ThenBy(id => id))
        {
            if (mass >= topP)
                break;
            kept[id] = weights[id] / total;
            mass += kept[id];
        }

        return [.. kept.Select(weight => weight / mass)];
    }
}

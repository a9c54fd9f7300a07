using CsCheck;
using Engram.Models.Configuration;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class ExpertRouterTests
{
    [Theory]
    [InlineData(ScoringFunction.Sigmoid, new[] { 0.5, 0.731059, 0.268941, 0.880797, 0.622459 })]
    [InlineData(ScoringFunction.Softmax, new[] { 0.076197, 0.207124, 0.028031, 0.563021, 0.125627 })]
    [InlineData(ScoringFunction.SqrtSoftplus, new[] { 0.832555, 1.145976, 0.559698, 1.458399, 0.986953 })]
    public void Affinities_of_the_golden_logits(ScoringFunction function, double[] expected)
    {
        using var scope = NewDisposeScope();
        var (router, parameters) = Golden(function);
        var affinities = router.Affinities(ones([1, 1], parameters.Type)).Values();
        Assert.All(expected.Zip(affinities), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void The_bias_selects_experts_2_and_4_of_the_golden()
    {
        using var scope = NewDisposeScope();
        var (router, parameters) = Golden(ScoringFunction.Sigmoid);
        new[] { 0, -0.5f, 0.6f, -0.4f, 0 }.CopyTo(router.Bias);
        var affinities = router.Affinities(ones([1, 1], parameters.Type));
        Assert.Equal([2, 4], router.Choose(affinities, countLoad: false));
    }

    [Fact]
    public void Ties_go_to_the_lower_index()
    {
        using var scope = NewDisposeScope();
        var (router, _) = Build(experts: 6, perToken: 3);
        var affinities = tensor(
            new[]
            {
                .5f,
                .5f,
                .5f,
                .5f,
                .5f,
                .5f, /* second token */
                .2f,
                .7f,
                .2f,
                .7f,
                .1f,
                .2f,
            },
            [2, 6]
        );
        Assert.Equal(
            [
                0,
                1,
                2, /* second token */
                1,
                3,
                0,
            ],
            router.Choose(affinities, countLoad: false)
        );
    }

    [Fact]
    public void Choices_equal_a_sorted_oracle_with_and_without_groups()
    {
        // Affinities and biases from few values, so that ties are common.
        (int Groups, int Kept)[] groupings = [(1, 1), (4, 2), (4, 1), (12, 5), (4, 4)];
        var affinities = Gen.Int[0, 5].Select(i => i / 8f).Array[24];
        var biases = Gen.Int[-2, 2].Select(i => i / 8f).Array[12];
        Gen.Select(affinities, biases, Gen.Int[0, groupings.Length - 1])
            .Sample(
                (scores, bias, index) =>
                {
                    using var scope = NewDisposeScope();
                    var (groups, kept) = groupings[index];
                    var (router, _) = Build(experts: 12, perToken: 3, groups, kept);
                    bias.CopyTo(router.Bias);
                    var expected = scores.Chunk(12).SelectMany(token => Oracle([.. token.Zip(bias, (a, b) => a + b)], 3, groups, kept));
                    Assert.Equal(expected, router.Choose(tensor(scores, [2, 12]), countLoad: false));
                },
                iter: 300,
                threads: 1
            );
    }

    [Fact]
    public void Excluded_groups_stay_excluded_when_biased_scores_are_negative()
    {
        using var scope = NewDisposeScope();
        var (router, _) = Build(experts: 4, perToken: 2, groups: 2, kept: 1);
        new[] { -2f, -2f, -1f, -1f }.CopyTo(router.Bias);
        // All biased scores are below 0: a mask by zeros would prefer the excluded experts 0 and 1.
        Assert.Equal([3, 2], router.Choose(tensor(new[] { .5f, .5f, .3f, .4f }, [1, 4]), false));
    }

    [Fact]
    public void Load_counts_only_when_asked_and_the_bias_moves_towards_equal_load()
    {
        using var scope = NewDisposeScope();
        var (router, _) = Build(experts: 4, perToken: 1);
        var affinities = tensor(new[] { .9f, .1f, .1f, .1f, .9f, .1f, .1f, .1f, .1f, .9f, .1f, .1f, .1f, .1f, .9f, .1f }, [4, 4]);
        router.Choose(affinities, countLoad: false);
        Assert.Equal([0L, 0, 0, 0], router.Load.ToArray());
        router.Choose(affinities, countLoad: true);
        Assert.Equal([2L, 1, 1, 0], router.Load.ToArray());
        router.UpdateBias(0.25);
        // Mean load 1: too much goes down, exactly the mean stays, too little goes up.
        Assert.Equal([-0.25f, 0, 0, 0.25f], router.Bias.ToArray());
        Assert.Equal([0L, 0, 0, 0], router.Load.ToArray());
        router.UpdateBias(0.25);
        Assert.Equal([-0.25f, 0, 0, 0.25f], router.Bias.ToArray());
    }

    [Fact]
    public void Small_steps_are_not_lost()
    {
        var (router, _) = Build(experts: 2, perToken: 1);
        using var scope = NewDisposeScope();
        for (var step = 0; step < 1000; step++)
        {
            router.Choose(tensor(new[] { 3f, 0.1f }, [1, 2]), countLoad: true);
            router.UpdateBias(0.001);
        }

        // A thousand float32 additions of 0.001, each rounded to 6e-8.
        Assert.Equal(-1, router.Bias.Span[0], 1e-4);
        Assert.Equal(1, router.Bias.Span[1], 1e-4);
    }

    [Fact]
    public void Skewed_scores_are_balanced_after_score_range_over_speed_steps()
    {
        using var scope = NewDisposeScope();
        const double speed = 0.01;
        var (router, _) = Build(experts: 8, perToken: 2);
        // Expert e is ahead by 0.1·e: without a bias, experts 6 and 7 take nearly everything. The spread within a token is small.
        var affinities = Sample.Normal(1, ScalarType.Float32, 256, 8) * 0.02 + arange(8, ScalarType.Float32) * 0.1;
        router.Choose(affinities, countLoad: true);
        Assert.True(router.Load[6] + router.Load[7] > 500, "the start is skewed");
        for (var step = 0; step < 0.8 / speed; step++)
        {
            router.UpdateBias(speed);
            router.Choose(affinities, countLoad: true);
        }

        // 64 tokens each would be perfect. The sign rule keeps moving by ±speed, half the spread, so some back and forth remains.
        Assert.All(router.Load.ToArray(), load => Assert.InRange(load, 24, 128));
    }

    [Fact]
    public void The_sort_by_expert_is_stable_and_complete() =>
        Gen.Int[0, 6]
            .Array[0, 40]
            .Sample(
                chosen =>
                {
                    var (order, position, ends) = DeepSeekMoe.SortByExpert(chosen, 7);
                    Assert.Equal(Enumerable.Range(0, chosen.Length).OrderBy(slot => chosen[slot]).Select(slot => (long)slot), order);
                    Assert.All(Enumerable.Range(0, chosen.Length), slot => Assert.Equal(slot, order[position[slot]]));
                    Assert.Equal(Enumerable.Range(0, 7).Select(e => chosen.Count(c => c <= e)), ends);
                },
                iter: 200,
                threads: 1
            );

    /// <summary>Best groups by the sum of their two best scores, then best experts inside them; every tie to the lower index.</summary>
    private static IEnumerable<int> Oracle(float[] biased, int perToken, int groups, int kept)
    {
        var size = biased.Length / groups;
        var eligible = Enumerable
            .Range(0, groups)
            .OrderByDescending(g => biased.Skip(g * size).Take(size).OrderDescending().Take(2).Sum())
            .ThenBy(g => g)
            .Take(kept)
            .ToHashSet();
        return Enumerable
            .Range(0, biased.Length)
            .Where(e => eligible.Contains(e / size))
            .OrderByDescending(e => biased[e])
            .ThenBy(e => e)
            .Take(perToken);
    }

    /// <summary>Logits 0, 1, −1, 2, ½ for the input 1.</summary>
    private static (ExpertRouter Router, ModelParameters Parameters) Golden(ScoringFunction function)
    {
        var parameters = TinyModels.Parameters(ScalarType.Float32);
        var configuration = TinyModels.Dense with
        {
            HiddenSize = 1,
            NRoutedExperts = 5,
            NumExpertsPerToken = 2,
            ScoringFunction = function,
        };
        var router = new ExpertRouter(configuration, "gate", parameters);
        using var noGrad = no_grad();
        parameters["gate.weight"].Tensor.copy_(tensor(new[] { 0, 1, -1, 2, 0.5f }, [5, 1]));
        return (router, parameters);
    }

    private static (ExpertRouter Router, ModelParameters Parameters) Build(int experts, int perToken, int groups = 1, int kept = 1)
    {
        var parameters = TinyModels.Parameters(ScalarType.Float32);
        var configuration = TinyModels.Dense with
        {
            HiddenSize = 2,
            NRoutedExperts = experts,
            NumExpertsPerToken = perToken,
            NGroup = groups,
            TopkGroup = kept,
        };
        return (new ExpertRouter(configuration, "gate", parameters), parameters);
    }
}

using Engram.Models.Configuration;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class RotaryEmbeddingTests
{
    private static ModelConfiguration Paper { get; } = TinyModels.Dense with { QkRopeHeadDim = 64, MaxPositionEmbeddings = 4096 };

    private static ModelConfiguration Extended(double factor, double mscale = 0.707, int context = 32768) =>
        Paper with
        {
            MaxPositionEmbeddings = context,
            RopeScaling = new RopeScaling
            {
                Factor = factor,
                Mscale = mscale,
                MscaleAllDim = mscale,
            },
        };

    // Pair width 64, θ 10000, L₀ 4096, β 32 and 1: blending runs from pair 10 to pair 23.
    [Theory]
    [InlineData(0, 1, 1)]
    [InlineData(10, 0.05623413252, 0.05623413252)]
    [InlineData(11, 0.04216965034, 0.03925021301)]
    [InlineData(16, 0.01, 0.005846153846)]
    [InlineData(22, 0.001778279410, 0.0003009395925)]
    [InlineData(23, 0.001333521432, 0.0001333521432)]
    [InlineData(31, 0.0001333521432, 0.00001333521432)]
    public void Frequencies_meet_the_goldens(int pair, double plain, double extended)
    {
        // Ten printed digits.
        Assert.Equal(plain, RotaryFrequencies.Of(Paper)[pair], 1e-9 * plain);
        Assert.Equal(extended, RotaryFrequencies.Of(Extended(10))[pair], 1e-9 * extended);
    }

    [Fact]
    public void The_ramp_blends_the_pairs_from_11_to_22_only()
    {
        var (plain, extended) = (RotaryFrequencies.Of(Paper), RotaryFrequencies.Of(Extended(10)));
        Assert.Equal(32, extended.Length);
        for (var i = 0; i < 32; i++)
        {
            var ratio = extended[i] / plain[i];
            if (i <= 10)
                Assert.Equal(1, ratio);
            else if (i >= 23)
                Assert.Equal(0.1, ratio, 1e-15);
            else
                Assert.Equal(1 - 0.9 * (i - 10) / 13, ratio, 1e-15);
        }
    }

    [Theory]
    [InlineData(10, 0.707, 1.16279276607, 1.35208701684)]
    [InlineData(10, 1, 1.23025850930, 1.51353599970)]
    [InlineData(40, 1, 1.36888794541, 1.87385420709)]
    [InlineData(40, 0.707, 1.26080377741, 1.58962616515)]
    public void Softmax_scale_meets_the_goldens(double factor, double mscale, double m, double squared)
    {
        var scale = RotaryFrequencies.ScoreScale(Extended(factor, mscale));
        Assert.Equal(m, Math.Sqrt(scale), 1e-11);
        Assert.Equal(squared, scale, 1e-10);
    }

    [Fact]
    public void A_factor_of_one_changes_nothing()
    {
        var (plain, extended) = (RotaryFrequencies.Of(Paper), RotaryFrequencies.Of(Extended(1)));
        Assert.All(plain.Zip(extended), pair => Assert.Equal(pair.First, pair.Second, 1e-15 * pair.First));
        Assert.Equal(1, RotaryFrequencies.ScoreScale(Extended(1)));
    }

    [Fact]
    public void Within_the_original_context_scaling_is_off()
    {
        var configuration = Extended(10, context: 4096);
        Assert.Equal(RotaryFrequencies.Of(Paper), RotaryFrequencies.Of(configuration));
        Assert.Equal(1, RotaryFrequencies.ScoreScale(configuration));
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Adjacent_pairs_turn_by_position_times_frequency(ScalarType type)
    {
        using var scope = NewDisposeScope();
        // θ = 100 and width 4: the pairs turn by 1 and by 0.1 radian per position.
        using var rotary = new RotaryEmbedding(TinyModels.Dense with { RopeTheta = 100 }, CPU, type);
        var x = tensor(new double[] { 1, 0, 1, 0, 1, 2, 3, 4 }, [1, 2, 4]).to(type);
        var y = RotaryEmbedding.Rotate(x, rotary.Angles([0], 2), headAxis: false);
        var (c, s, c1, s1) = (Math.Cos(1), Math.Sin(1), Math.Cos(0.1), Math.Sin(0.1));
        // float32 rounding
        TensorAssert.Close(tensor(new[] { 1, 0, 1, 0, c - 2 * s, s + 2 * c, 3 * c1 - 4 * s1, 3 * s1 + 4 * c1 }, [1, 2, 4]), y, 2e-7);
    }

    [Fact]
    public void A_head_axis_turns_every_head_alike()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(TinyModels.Dense, CPU, ScalarType.Float64);
        var x = Sample.Normal(1, ScalarType.Float64, 2, 5, 3, 4);
        var angles = rotary.Angles([7], 5);
        var together = RotaryEmbedding.Rotate(x, angles, headAxis: true);
        for (var head = 0; head < 3; head++)
            TensorAssert.BitIdentical(RotaryEmbedding.Rotate(x.select(2, head), angles, headAxis: false), together.select(2, head));
    }

    [Fact]
    public void Sequences_at_different_positions_turn_by_their_own()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(TinyModels.Dense, CPU, ScalarType.Float32);
        var x = Sample.Normal(1, ScalarType.Float32, 3, 2, 4);
        var together = RotaryEmbedding.Rotate(x, rotary.Angles([5, 0, 70], 2), headAxis: false);
        foreach (var (sequence, offset) in new[] { (0, 5), (1, 0), (2, 70) })
            TensorAssert.BitIdentical(
                RotaryEmbedding.Rotate(x.narrow(0, sequence, 1), rotary.Angles([offset], 2), headAxis: false),
                together.narrow(0, sequence, 1)
            );
    }

    [Fact]
    public void Products_depend_on_the_distance_of_positions_alone()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(Extended(10), CPU, ScalarType.Float64);
        var (q, k) = (Sample.Normal(1, ScalarType.Float64, 1, 6, 64), Sample.Normal(2, ScalarType.Float64, 1, 6, 64));
        Tensor Scores(int offset)
        {
            var angles = rotary.Angles([offset], 6);
            return RotaryEmbedding.Rotate(q, angles, false).matmul(RotaryEmbedding.Rotate(k, angles, false).transpose(1, 2));
        }

        // Angles up to 20000 radians are exact to 2e-12 in float64.
        TensorAssert.Close(Scores(0), Scores(3), 1e-13);
        TensorAssert.Close(Scores(0), Scores(20000), 1e-11);
    }

    [Fact]
    public void Half_split_layout_gives_the_same_products()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(Paper, CPU, ScalarType.Float64);
        var (q, k) = (Sample.Normal(1, ScalarType.Float64, 1, 5, 64), Sample.Normal(2, ScalarType.Float64, 1, 5, 64));
        var frequencies = tensor(RotaryFrequencies.Of(Paper));
        var angles = arange(5, ScalarType.Float64).unsqueeze(1) * frequencies;
        Tensor HalfSplit(Tensor x)
        {
            // Even elements first, odd ones behind them, then (a, b) → (a cos − b sin, b cos + a sin) between the halves.
            var (a, b) = (x.unflatten(2, 32, 2).select(3, 0), x.unflatten(2, 32, 2).select(3, 1));
            return cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1);
        }

        var turns = rotary.Angles([0], 5);
        var adjacent = RotaryEmbedding.Rotate(q, turns, false).matmul(RotaryEmbedding.Rotate(k, turns, false).transpose(1, 2));
        TensorAssert.Close(adjacent, HalfSplit(q).matmul(HalfSplit(k).transpose(1, 2)), 1e-14);
    }

    [Fact]
    public void A_table_for_the_long_context_equals_one_built_on_the_fly()
    {
        using var scope = NewDisposeScope();
        using var whole = new RotaryEmbedding(Extended(10), CPU, ScalarType.Float32);
        using var grown = new RotaryEmbedding(Extended(10), CPU, ScalarType.Float32);
        whole.Angles([0], 32768);
        var x = Sample.Normal(1, ScalarType.Float32, 1, 1, 64);
        var frequencies = RotaryFrequencies.Of(Extended(10));
        foreach (var position in new[] { 0, 1, 63, 64, 4095, 4096, 32767 })
        {
            var rotated = RotaryEmbedding.Rotate(x, grown.Angles([position], 1), false);
            TensorAssert.BitIdentical(RotaryEmbedding.Rotate(x, whole.Angles([position], 1), false), rotated);
            var values = x.Values();
            var direct = frequencies.SelectMany(
                (f, i) =>
                {
                    var (sin, cos) = Math.SinCos(position * f);
                    return new[] { values[2 * i] * cos - values[2 * i + 1] * sin, values[2 * i] * sin + values[2 * i + 1] * cos };
                }
            );
            // angles in double: only the table and the products round
            TensorAssert.Close(tensor(direct.ToArray(), [1, 1, 64]), rotated, 2e-7);
        }
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        using var rotary = new RotaryEmbedding(TinyModels.Dense, CPU, ScalarType.Float64);
        var x = Sample.Leaf(1, ScalarType.Float64, 2, 3, 2, 4);
        var weights = Sample.Normal(2, ScalarType.Float64, 2, 3, 2, 4);
        FiniteDifferences.Check(() => (RotaryEmbedding.Rotate(x, rotary.Angles([5], 3), true) * weights).sum(), [("x", x)]);
    }
}

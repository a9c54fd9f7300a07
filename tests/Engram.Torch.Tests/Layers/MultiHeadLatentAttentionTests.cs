using Engram.Models.Configuration;
using Engram.Torch.Generation;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class MultiHeadLatentAttentionTests
{
    public static ModelConfiguration Configuration(bool lowRankQuery, bool extended = false, int valueWidth = 5) => TinyModels.Dense with
    {
        QLoraRank = lowRankQuery ? 7 : null,
        VHeadDim = valueWidth,
        MaxPositionEmbeddings = extended ? 640 : 64,
        RopeScaling = new RopeScaling { Factor = 10, OriginalMaxPositionEmbeddings = 64 },
    };

    // Values narrower than, as wide as and wider than keys (10) take different ways through the fused operator.
    [Theory]
    [InlineData(false, false, 5), InlineData(true, false, 5), InlineData(false, true, 5), InlineData(true, true, 10), InlineData(false, false, 13)]
    public void Agrees_with_a_plain_reference_in_both_forms(bool lowRankQuery, bool extended, int valueWidth)
    {
        using var scope = NewDisposeScope();
        var configuration = Configuration(lowRankQuery, extended, valueWidth);
        using var attention = new Attention(configuration);
        var x = Sample.Normal(1, ScalarType.Float64, 2, 6, 16);
        var expected = stack([Reference(configuration, attention.Parameters, x[0]), Reference(configuration, attention.Parameters, x[1])]);
        // Everything is float64; the two forms order some forty additions differently.
        TensorAssert.Close(expected, attention.Layer.Forward(x, null, null, absorbed: false), 1e-12, "expanded form");
        TensorAssert.Close(expected, attention.Layer.Forward(x, null, null, absorbed: true), 1e-12, "absorbed form");
    }

    [Fact]
    public void Both_forms_agree_in_single_precision()
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery: true, extended: true), ScalarType.Float32);
        var x = Sample.Normal(1, ScalarType.Float32, 2, 20, 16);
        // Two different factorisations, each a chain of five float32 products.
        TensorAssert.Close(attention.Layer.Forward(x, null, null, false), attention.Layer.Forward(x, null, null, true), 1e-5);
    }

    [Fact]
    public void Dropping_the_extended_softmax_scale_changes_the_result()
    {
        using var scope = NewDisposeScope();
        using var scaled = new Attention(Configuration(false, extended: true));
        var configuration = Configuration(false, extended: true);
        using var unscaled = new Attention(configuration with { RopeScaling = configuration.RopeScaling! with { MscaleAllDim = 0 } });
        var x = Sample.Normal(1, ScalarType.Float64, 1, 6, 16);
        foreach (var absorbed in new[] { false, true })
        {
            var difference = scaled.Layer.Forward(x, null, null, absorbed) - unscaled.Layer.Forward(x, null, null, absorbed);
            Assert.InRange(difference.abs().max().item<double>(), 1e-3, 10);
        }
    }

    [Fact]
    public void A_full_rank_identity_query_equals_the_direct_one()
    {
        using var scope = NewDisposeScope();
        using var direct = new Attention(TinyModels.Dense with { RmsNormEps = 0 });
        using var factored = new Attention(TinyModels.Dense with { RmsNormEps = 0, QLoraRank = 16 });
        using (no_grad())
        {
            factored.Parameters["attn.q_a_proj.weight"].Tensor.copy_(eye(16, 16, ScalarType.Float64));
            factored.Parameters["attn.q_a_layernorm.weight"].Tensor.fill_(1);
            factored.Parameters["attn.q_b_proj.weight"].Tensor.copy_(direct.Parameters["attn.q_proj.weight"].Tensor);
        }

        var x = RmsNorm.Unit(Sample.Normal(1, ScalarType.Float64, 1, 6, 16), 0);   // unit mean square: the query norm does nothing
        TensorAssert.Close(direct.Layer.Forward(x, null, null, false), factored.Layer.Forward(x, null, null, false), 1e-13);
    }

    [Theory, InlineData(false, false), InlineData(true, false), InlineData(false, true), InlineData(true, true)]
    public void Gradients_match_finite_differences(bool lowRankQuery, bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery, extended: true));
        var x = Sample.Leaf(1, ScalarType.Float64, 2, 5, 16);
        var weights = Sample.Normal(2, ScalarType.Float64, 2, 5, 16);
        FiniteDifferences.Check(() => (attention.Layer.Forward(x, null, null, absorbed) * weights).sum(), [("x", x), .. attention.Parameters.Leaves()]);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_mask_of_documents_equals_separate_documents(bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(TinyModels.Dense);
        var x = Sample.Normal(1, ScalarType.Float64, 1, 9, 16);
        bool[] starts = [true, false, false, false, true, false, false, true, false];
        using var mask = DocumentAges.AttentionMask(starts, 1, 9, null, true, CPU);
        var packed = attention.Layer.Forward(x, mask, null, absorbed);
        // Positions run on through the packed sequence: equal because scores depend on distances alone, up to rounding of the angles.
        foreach (var (begin, end) in new[] { (0, 4), (4, 7), (7, 9) })
            TensorAssert.Close(attention.Layer.Forward(x.narrow(1, begin, end - begin), null, null, absorbed), packed.narrow(1, begin, end - begin), 1e-12);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_query_that_sees_nothing_gives_zero(bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(TinyModels.Dense);
        var x = Sample.Normal(1, ScalarType.Float64, 1, 4, 16);
        var mask = ones([1, 1, 4, 4], ScalarType.Bool).tril();
        mask[0, 0, 2] = false;
        var y = attention.Layer.Forward(x, mask, null, absorbed);
        TensorAssert.Zero(y[0, 2], "the blind row");
        mask[0, 0, 2] = tensor(new[] { true, true, true, false });
        var seeing = attention.Layer.Forward(x, mask, null, absorbed);
        foreach (var t in new[] { 0, 1, 3 })
            TensorAssert.BitIdentical(seeing[0, t], y[0, t]);
    }

    [Theory]
    [InlineData(1, true), InlineData(3, true), InlineData(7, true), InlineData(1, false), InlineData(3, false), InlineData(7, false)]
    public void Chunks_through_the_cache_equal_the_whole(int chunk, bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery: true, extended: true));
        using var cache = new LatentCache();
        var x = Sample.Normal(1, ScalarType.Float64, 2, 7, 16);
        var parts = new List<Tensor>();
        for (var begin = 0; begin < 7; begin += chunk)
            parts.Add(attention.Layer.Forward(x.narrow(1, begin, Math.Min(chunk, 7 - begin)), null, cache, absorbed));
        Assert.Equal(7, cache.Length);
        TensorAssert.Close(attention.Layer.Forward(x, null, null, false), cat(parts, 1), 1e-12);   // float64, other order of additions
    }

    [Fact]
    public void The_cache_grows_without_losing_positions()
    {
        using var scope = NewDisposeScope();
        using var cache = new LatentCache();
        var (latent, key) = (Sample.Normal(1, ScalarType.Float32, 2, 150, 3), Sample.Normal(2, ScalarType.Float32, 2, 150, 2));
        for (var t = 0; t < 150; t += 50)
        {
            var held = cache.Append(latent.narrow(1, t, 50), key.narrow(1, t, 50));
            TensorAssert.BitIdentical(latent.narrow(1, 0, t + 50), held.Latent);
            TensorAssert.BitIdentical(key.narrow(1, 0, t + 50), held.Key);
        }
    }

    /// <summary>One sequence [T, D] in loops, from the definition: no batching, no fused operator, no cache.</summary>
    private static Tensor Reference(ModelConfiguration configuration, ModelParameters parameters, Tensor x)
    {
        double[][] Weight(string name) => parameters[$"attn.{name}.weight"].Tensor.Rows();
        static double[] Multiply(double[][] matrix, double[] v) => [.. matrix.Select(row => row.Zip(v, (a, b) => a * b).Sum())];
        double[] Norm(double[] v, double[] gain)
        {
            var scale = 1 / Math.Sqrt(v.Sum(a => a * a) / v.Length + configuration.RmsNormEps);
            return [.. v.Zip(gain, (a, g) => a * scale * g)];
        }

        var frequencies = RotaryEmbedding.Frequencies(configuration);
        double[] Turn(double[] v, int position) =>
        [
            .. v.Chunk(2).SelectMany((pair, i) =>
            {
                var (sin, cos) = Math.SinCos(position * frequencies[i]);
                return new[] { pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos };
            }),
        ];

        var (heads, nope, rope, value, latent) = (configuration.NumAttentionHeads, configuration.QkNopeHeadDim, configuration.QkRopeHeadDim,
            configuration.VHeadDim, configuration.KvLoraRank);
        var tokens = x.Rows();
        var queries = tokens.Select(v => configuration.QLoraRank is null ? Multiply(Weight("q_proj"), v)
            : Multiply(Weight("q_b_proj"), Norm(Multiply(Weight("q_a_proj"), v), Weight("q_a_layernorm")[0]))).ToArray();
        var down = tokens.Select(v => Multiply(Weight("kv_a_proj_with_mqa"), v)).ToArray();
        var keyValues = down.Select(v => Multiply(Weight("kv_b_proj"), Norm(v[..latent], Weight("kv_a_layernorm")[0]))).ToArray();
        var sharedKeys = down.Select((v, t) => Turn(v[latent..], t)).ToArray();
        var scale = RotaryEmbedding.SoftmaxScale(configuration) / Math.Sqrt(nope + rope);
        var output = tokens.Select((_, t) =>
        {
            var concatenated = new List<double>();
            for (var h = 0; h < heads; h++)
            {
                var q = queries[t][(h * (nope + rope))..((h + 1) * (nope + rope))];
                var turned = Turn(q[nope..], t);
                var block = h * (nope + value);
                double Score(int u) =>
                    Enumerable.Range(0, nope).Sum(i => q[i] * keyValues[u][block + i]) + Enumerable.Range(0, rope).Sum(i => turned[i] * sharedKeys[u][i]);
                var exponentials = Enumerable.Range(0, t + 1).Select(u => Math.Exp(scale * Score(u))).ToArray();
                for (var i = 0; i < value; i++)
                    concatenated.Add(exponentials.Select((e, u) => e * keyValues[u][block + nope + i]).Sum() / exponentials.Sum());
            }

            return Multiply(Weight("o_proj"), [.. concatenated]);
        });
        return tensor(output.SelectMany(v => v).ToArray(), [tokens.Length, configuration.HiddenSize]);
    }

    private sealed class Attention : IDisposable
    {
        private readonly RotaryEmbedding _rotary;

        public Attention(ModelConfiguration configuration, ScalarType type = ScalarType.Float64)
        {
            Parameters = TinyModels.Parameters(type);
            _rotary = new RotaryEmbedding(configuration, CPU, type);
            Layer = new MultiHeadLatentAttention(configuration, "attn", _rotary, Parameters);
            Sample.Fill(Parameters, 4);
        }

        public ModelParameters Parameters { get; }

        public MultiHeadLatentAttention Layer { get; }

        public void Dispose() => _rotary.Dispose();
    }
}

using Engram.Models.Configuration;
using Engram.Models.Sequences;
using Engram.Torch.Layers;
using Engram.Torch.Sequences;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class MultiHeadLatentAttentionTests
{
    public static ModelConfiguration Configuration(bool lowRankQuery, bool extended = false, int valueWidth = 5) =>
        TinyModels.Dense with
        {
            QLoraRank = lowRankQuery ? 7 : null,
            VHeadDim = valueWidth,
            MaxPositionEmbeddings = extended ? 640 : 64,
            RopeScaling = new RopeScaling { Factor = 10, OriginalMaxPositionEmbeddings = 64 },
        };

    // Values narrower than, as wide as and wider than keys (10) take different ways through the fused operator.
    [Theory]
    [
        InlineData(false, false, 5),
        InlineData(true, false, 5),
        InlineData(false, true, 5),
        InlineData(true, true, 10),
        InlineData(false, false, 13)
    ]
    public void Agrees_with_a_plain_reference_in_both_forms(bool lowRankQuery, bool extended, int valueWidth)
    {
        using var scope = NewDisposeScope();
        var configuration = Configuration(lowRankQuery, extended, valueWidth);
        using var attention = new Attention(configuration);
        var x = Sample.Normal(1, ScalarType.Float64, 2, 6, 16);
        var expected = stack([Reference(configuration, attention.Parameters, x[0]), Reference(configuration, attention.Parameters, x[1])]);
        // Everything is float64; the two forms order some forty additions differently.
        TensorAssert.Close(expected, attention.Forward(x, false), 1e-12, "expanded form");
        TensorAssert.Close(expected, attention.Forward(x, true), 1e-12, "absorbed form");
    }

    [Fact]
    public void Both_forms_agree_in_single_precision()
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery: true, extended: true), ScalarType.Float32);
        var x = Sample.Normal(1, ScalarType.Float32, 2, 20, 16);
        // Two different factorisations, each a chain of five float32 products.
        TensorAssert.Close(attention.Forward(x, false), attention.Forward(x, true), 1e-5);
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
            var difference = scaled.Forward(x, absorbed) - unscaled.Forward(x, absorbed);
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

        var x = RmsNorm.Unit(Sample.Normal(1, ScalarType.Float64, 1, 6, 16), 0); // unit mean square: the query norm does nothing
        TensorAssert.Close(direct.Forward(x, false), factored.Forward(x, false), 1e-13);
    }

    [Theory, InlineData(false, false), InlineData(true, false), InlineData(false, true), InlineData(true, true)]
    public void Gradients_match_finite_differences(bool lowRankQuery, bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery, extended: true));
        var x = Sample.Leaf(1, ScalarType.Float64, 2, 5, 16);
        var weights = Sample.Normal(2, ScalarType.Float64, 2, 5, 16);
        FiniteDifferences.Check(() => (attention.Forward(x, absorbed) * weights).sum(), [("x", x), .. attention.Parameters.Leaves()]);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_mask_of_documents_equals_separate_documents(bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(TinyModels.Dense);
        var x = Sample.Normal(1, ScalarType.Float64, 1, 9, 16);
        var mask = AttentionMask.Of([0, 0, 0, 0, 4, 4, 4, 7, 7], [0], 9, CPU);
        var packed = attention.Forward(x, absorbed, mask);
        // Positions run on through the packed sequence: equal because scores depend on distances alone, up to rounding of the angles.
        foreach (var (begin, end) in new[] { (0, 4), (4, 7), (7, 9) })
            TensorAssert.Close(attention.Forward(x.narrow(1, begin, end - begin), absorbed), packed.narrow(1, begin, end - begin), 1e-12);
    }

    /// <summary>Documents one after the other, without a mask of T² numbers: value and every gradient are the mask's.</summary>
    [Theory, InlineData(5), InlineData(10), InlineData(13)]
    public void Documents_one_by_one_equal_a_mask_of_them(int valueWidth)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery: true, extended: true, valueWidth));
        int[] documents = [0, 0, 0, 0, 4, 4, 4, 7, 7, 0, 1, 1, 1, 1, 1, 6, 6, 6]; // two sequences of nine tokens
        long[] segments = AttentionMask.Segments(documents, 9, shortest: 1)!;
        Assert.Equal([4, 3, 2, 1, 5, 3], segments);
        var x = Sample.Leaf(1, ScalarType.Float64, 2, 9, 16);
        var weights = Sample.Normal(2, ScalarType.Float64, 2, 9, 16);
        var leaves = attention.Parameters.Leaves().Select(leaf => leaf.Item2).Prepend(x).ToArray();
        (Tensor Value, Tensor[] Gradients) Pass(Tensor? mask, long[]? within)
        {
            foreach (var leaf in leaves)
                leaf.grad = null;
            var y = attention.Forward(x, false, mask, within);
            (y * weights).sum().backward();
            return (y, [.. leaves.Select(leaf => leaf.grad!.clone())]);
        }

        var masked = Pass(AttentionMask.Of(documents, [0, 0], 9, CPU), null);
        var segmented = Pass(null, segments);
        // The same sums in another order, in float64.
        TensorAssert.Close(masked.Value, segmented.Value, 1e-12);
        foreach (var (expected, actual) in masked.Gradients.Zip(segmented.Gradients))
            TensorAssert.Close(expected, actual, 1e-11);
        var plain = attention.Forward(x, false);
        Assert.True((plain - segmented.Value).abs().max().item<double>() > 1e-3, "documents change nothing");
    }

    [Fact]
    public void Only_long_sequences_of_several_documents_are_divided()
    {
        Assert.Null(AttentionMask.Segments([], 600));
        Assert.Null(AttentionMask.Segments(new int[1200], 600));
        Assert.Null(AttentionMask.Segments([0, 0, 2, 2], 4));
        var documents = new int[1200];
        documents.AsSpan(700).Fill(100);
        Assert.Equal([600, 100, 500], AttentionMask.Segments(documents, 600)!);
    }

    /// <summary>Wherever a way of attention runs, the logits are the same; which is cheaper follows from the widths.</summary>
    [Theory, InlineData(128, 32, 32, 42), InlineData(512, 128, 128, 170), InlineData(32, 16, 16, 31), InlineData(16, 16, 16, int.MaxValue)]
    public void Absorbing_pays_for_few_new_positions(int latent, int nope, int value, int most)
    {
        var configuration = TinyModels.Dense with { KvLoraRank = latent, QkNopeHeadDim = nope, VHeadDim = value };
        Assert.True(MultiHeadLatentAttention.AbsorbingPays(configuration, 1));
        Assert.True(MultiHeadLatentAttention.AbsorbingPays(configuration, most));
        if (most < int.MaxValue)
            Assert.False(MultiHeadLatentAttention.AbsorbingPays(configuration, most + 1));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_query_that_sees_nothing_gives_zero(bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(TinyModels.Dense);
        var x = Sample.Normal(1, ScalarType.Float64, 1, 4, 16);
        var mask = ones([1, 1, 4, 4], ScalarType.Bool).tril();
        mask[0, 0, 2] = false;
        var y = attention.Forward(x, absorbed, mask);
        TensorAssert.Zero(y[0, 2], "the blind row");
        mask[0, 0, 2] = tensor(new[] { true, true, true, false });
        var seeing = attention.Forward(x, absorbed, mask);
        foreach (var t in new[] { 0, 1, 3 })
            TensorAssert.BitIdentical(seeing[0, t], y[0, t]);
    }

    [Theory]
    [InlineData(1, true), InlineData(3, true), InlineData(7, true), InlineData(1, false), InlineData(3, false), InlineData(7, false)]
    public void Chunks_through_states_equal_the_whole(int chunk, bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery: true, extended: true));
        var x = Sample.Normal(1, ScalarType.Float64, 2, 7, 16);
        using SequenceState first = State(),
            second = State();
        var parts = new List<Tensor>();
        for (var begin = 0; begin < 7; begin += chunk)
            parts.Add(attention.Continue([first, second], x.narrow(1, begin, Math.Min(chunk, 7 - begin)), absorbed));
        Assert.Equal((7, 7), (first.Length, second.Length));
        TensorAssert.Close(attention.Forward(x, false), cat(parts, 1), 1e-12); // float64, other order of additions
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Sequences_at_different_positions_equal_each_alone(bool absorbed)
    {
        using var scope = NewDisposeScope();
        using var attention = new Attention(Configuration(lowRankQuery: true, extended: true));
        var x = Sample.Normal(1, ScalarType.Float64, 3, 9, 16);
        var whole = attention.Forward(x, false);
        using SequenceState a = State(),
            b = State(),
            c = State();
        attention.Continue([a], x.narrow(0, 0, 1).narrow(1, 0, 6), absorbed);
        attention.Continue([b], x.narrow(0, 1, 1).narrow(1, 0, 2), absorbed);
        foreach (var _ in new[] { 1, 2 })
        {
            int[] at = [a.Length, b.Length, c.Length];
            var y = attention.Continue([a, b, c], cat([.. at.Select((from, i) => x.narrow(0, i, 1).narrow(1, from, 1))], 0), absorbed);
            TensorAssert.Close(cat([.. at.Select((from, i) => whole.narrow(0, i, 1).narrow(1, from, 1))], 0), y, 1e-12);
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

        var frequencies = RotaryFrequencies.Of(configuration);
        double[] Turn(double[] v, int position) =>
            [
                .. v.Chunk(2)
                    .SelectMany(
                        (pair, i) =>
                        {
                            var (sin, cos) = Math.SinCos(position * frequencies[i]);
                            return new[] { pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos };
                        }
                    ),
            ];

        var (heads, nope, rope, value, latent) = (
            configuration.NumAttentionHeads,
            configuration.QkNopeHeadDim,
            configuration.QkRopeHeadDim,
            configuration.VHeadDim,
            configuration.KvLoraRank
        );
        var tokens = x.Rows();
        var queries = tokens
            .Select(v =>
                configuration.QLoraRank is null
                    ? Multiply(Weight("q_proj"), v)
                    : Multiply(Weight("q_b_proj"), Norm(Multiply(Weight("q_a_proj"), v), Weight("q_a_layernorm")[0]))
            )
            .ToArray();
        var down = tokens.Select(v => Multiply(Weight("kv_a_proj_with_mqa"), v)).ToArray();
        var keyValues = down.Select(v => Multiply(Weight("kv_b_proj"), Norm(v[..latent], Weight("kv_a_layernorm")[0]))).ToArray();
        var sharedKeys = down.Select((v, t) => Turn(v[latent..], t)).ToArray();
        var scale = RotaryFrequencies.ScoreScale(configuration) / Math.Sqrt(nope + rope);
        var output = tokens.Select(
            (_, t) =>
            {
                var concatenated = new List<double>();
                for (var h = 0; h < heads; h++)
                {
                    var q = queries[t][(h * (nope + rope))..((h + 1) * (nope + rope))];
                    var turned = Turn(q[nope..], t);
                    var block = h * (nope + value);
                    double Score(int u) =>
                        Enumerable.Range(0, nope).Sum(i => q[i] * keyValues[u][block + i])
                        + Enumerable.Range(0, rope).Sum(i => turned[i] * sharedKeys[u][i]);
                    var exponentials = Enumerable.Range(0, t + 1).Select(u => Math.Exp(scale * Score(u))).ToArray();
                    for (var i = 0; i < value; i++)
                        concatenated.Add(exponentials.Select((e, u) => e * keyValues[u][block + nope + i]).Sum() / exponentials.Sum());
                }

                return Multiply(Weight("o_proj"), [.. concatenated]);
            }
        );
        return tensor(output.SelectMany(v => v).ToArray(), [tokens.Length, configuration.HiddenSize]);
    }

    private static SequenceState State() => new(new TokenHistory(new DocumentRule(TinyModels.Dense)));

    private sealed class Attention : IDisposable
    {
        private readonly RotaryEmbedding _rotary;
        private readonly MultiHeadLatentAttention _layer;

        public Attention(ModelConfiguration configuration, ScalarType type = ScalarType.Float64)
        {
            Parameters = TinyModels.Parameters(type);
            _rotary = new RotaryEmbedding(configuration, CPU, type);
            _layer = new MultiHeadLatentAttention(configuration, "attn", _rotary, Parameters);
            Sample.Fill(Parameters, 4);
        }

        public ModelParameters Parameters { get; }

        public Tensor Forward(Tensor x, bool absorbed, Tensor? mask = null, long[]? segments = null) =>
            _layer.Forward(x, _rotary.Angles([0], (int)x.size(1)), mask, null, absorbed, segments);

        /// <summary>x [B, T, D], the next positions of B states.</summary>
        public Tensor Continue(SequenceState[] states, Tensor x, bool absorbed)
        {
            using var noGrad = no_grad();
            var length = (int)x.size(1);
            var batch = new StateBatch(states, new int[states.Length * length], CPU);
            return _layer.Forward(
                x,
                _rotary.Angles(batch.Offsets, length),
                AttentionMask.Of([], batch.Offsets, length, CPU),
                new LayerState(batch, 0),
                absorbed
            );
        }

        public void Dispose() => _rotary.Dispose();
    }
}

using Engram.Models.Configuration;
using Engram.Models.Sequences;
using Engram.Torch.Layers;
using Engram.Torch.Sequences;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class ShortConvolutionTests
{
    private const int Branches = 2;
    private const int Width = 3;
    private static readonly bool[] Starts = [.. Enumerable.Range(0, 28).Select(i => i is 0 or 5 or 6 or 14 or 20)];

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Agrees_with_a_plain_reference(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(type);
        var u = Sample.Normal(1, type, 2, 14, Branches, Width);
        var actual = layer.Forward(u, Sample.Ages(Starts, 2, 14), null);
        var expected = new[] { 0, 1 }.SelectMany(b => Reference(parameters, u[b], Starts.AsSpan(14 * b, 14).ToArray())).ToArray();
        TensorAssert.Close(tensor(expected, u.shape), actual, type == ScalarType.Float32 ? 2e-6 : 1e-14); // a dozen roundings of the type
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Zero_taps_make_it_the_identity(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(type);
        using (no_grad())
            parameters["e.conv.weight"].Tensor.zero_();
        var u = Sample.Leaf(1, type, 2, 14, Branches, Width);
        var y = layer.Forward(u, Sample.Ages([], 2, 14), null);
        TensorAssert.BitIdentical(u, y);
        y.sum().backward();
        // The branch is silent but not dead: silu has slope ½ at 0.
        Assert.All(parameters["e.conv.weight"].Tensor.grad!.Values(), value => Assert.NotEqual(0, value));
        TensorAssert.Zero(parameters["e.conv_norm.weight"].Tensor.grad!, "gradient of the gain");
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void The_last_tap_is_the_current_position(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(type);
        using var noGrad = no_grad();
        parameters["e.conv.weight"].Tensor.zero_().select(2, 3).fill_(1);
        parameters["e.conv_norm.weight"].Tensor.fill_(1);
        var u = Sample.Normal(1, type, 1, 14, Branches, Width);
        var x = RmsNorm.Unit(u.to(ScalarType.Float64), EngramConfiguration.ConvNormEpsilon);
        TensorAssert.Close(u.to(ScalarType.Float64) + x * x.sigmoid(), layer.Forward(u, Sample.Ages([], 1, 14), null), 1e-6);
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(ScalarType.Float64);
        var u = Sample.Leaf(1, ScalarType.Float64, 2, 14, Branches, Width);
        var weights = Sample.Normal(2, ScalarType.Float64, 2, 14, Branches, Width);
        var ages = Sample.Ages(Starts, 2, 14);
        FiniteDifferences.Check(() => (layer.Forward(u, ages, null) * weights).sum(), [("u", u), .. parameters.Leaves()]);
    }

    [Theory, InlineData(1), InlineData(3), InlineData(10), InlineData(14)]
    public void Chunks_through_states_equal_the_whole(int chunk)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (layer, _) = Layer(ScalarType.Float64);
        var u = Sample.Normal(1, ScalarType.Float64, 2, 14, Branches, Width);
        var ages = Sample.Ages(Starts, 2, 14);
        using SequenceState first = State(),
            second = State();
        var parts = new List<Tensor>();
        for (var begin = 0; begin < 14; begin += chunk)
        {
            var length = Math.Min(chunk, 14 - begin);
            var batch = new StateBatch([first, second], new int[2 * length], CPU);
            parts.Add(
                layer.Forward(
                    u.narrow(1, begin, length),
                    [.. ages[begin..(begin + length)], .. ages[(14 + begin)..(14 + begin + length)]],
                    new LayerState(batch, 1)
                )
            );
        }

        // The same operations on the same numbers per position, whatever the chunk.
        TensorAssert.BitIdentical(layer.Forward(u, ages, null), cat(parts, 1));
    }

    [Fact]
    public void Sequences_at_different_positions_equal_each_alone()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (layer, _) = Layer(ScalarType.Float64);
        var u = Sample.Normal(1, ScalarType.Float64, 2, 14, Branches, Width);
        var ages = Sample.Ages(Starts, 2, 14);
        using SequenceState ahead = State(),
            behind = State();
        layer.Forward(u.narrow(0, 0, 1).narrow(1, 0, 11), ages[..11], new LayerState(new StateBatch([ahead], new int[11], CPU), 1));
        layer.Forward(u.narrow(0, 1, 1).narrow(1, 0, 4), ages[14..18], new LayerState(new StateBatch([behind], new int[4], CPU), 1));
        var together = layer.Forward(
            cat([u.narrow(0, 0, 1).narrow(1, 11, 2), u.narrow(0, 1, 1).narrow(1, 4, 2)], 0),
            [.. ages[11..13], .. ages[18..20]],
            new LayerState(new StateBatch([ahead, behind], new int[4], CPU), 1)
        );
        var whole = layer.Forward(u, ages, null);
        TensorAssert.BitIdentical(whole[0].narrow(0, 11, 2), together[0]);
        TensorAssert.BitIdentical(whole[1].narrow(0, 4, 2), together[1]);
    }

    [Fact]
    public void Reach_is_the_distance_of_the_first_tap() => Assert.Equal(9, Layer(ScalarType.Float32).Layer.Reach);

    /// <summary>One sequence [T, M, D] in loops, from the definition.</summary>
    private static double[] Reference(ModelParameters parameters, Tensor u, bool[] starts)
    {
        var (taps, gains) = (parameters["e.conv.weight"].Tensor.Rows(), parameters["e.conv_norm.weight"].Tensor.Values());
        var values = u.Rows().Chunk(Branches).ToArray(); // [position][branch][feature]
        var result = new List<double>();
        for (var t = 0; t < values.Length; t++)
        for (var branch = 0; branch < Branches; branch++)
        for (var i = 0; i < Width; i++)
        {
            var channel = branch * Width + i;
            var sum = 0.0;
            for (var j = 0; j < 4; j++)
            {
                var source = t - (3 - j) * 3;
                if (source < 0 || starts[(source + 1)..(t + 1)].Any(start => start))
                    continue;
                var row = values[source][branch];
                sum += taps[channel][j] * gains[channel] * row[i] / Math.Sqrt(row.Sum(v => v * v) / Width + 1e-5);
            }

            result.Add(values[t][branch][i] + sum / (1 + Math.Exp(-sum)));
        }

        return [.. result];
    }

    private static SequenceState State() => new(new TokenHistory(new DocumentRule(TinyModels.Dense)));

    private static (ShortConvolution Layer, ModelParameters Parameters) Layer(ScalarType type)
    {
        var parameters = TinyModels.Parameters(type);
        var layer = new ShortConvolution(TinyModels.Engram, Branches, Width, "e", parameters);
        Sample.Fill(parameters, 3);
        return (layer, parameters);
    }
}

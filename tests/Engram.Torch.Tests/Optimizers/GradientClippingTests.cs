using Engram.Torch.Layers;
using Engram.Training.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Engram.Torch.Tests.Optimizers;

public class GradientClippingTests
{
    [Fact]
    public void Tables_count_in_the_norm_and_share_the_factor()
    {
        using var scope = NewDisposeScope();
        var parameters = With([3f], [0f, 4f]);
        var clipped = GradientClipping.Apply(parameters, maximum: 1, tableSumOfSquares: 144); // 9 + 16 + 144 = 13²
        Assert.Equal(13, clipped.Norm, 6);
        Assert.Equal(1.0 / 13, clipped.Factor, 9);
        Assert.Null(clipped.NonFinite);
        Assert.Equal(3f / 13, parameters[0].Tensor.grad!.item<float>(), 6);
        Assert.Equal([0f, 4f / 13], parameters[1].Tensor.grad!.data<float>().ToArray(), (a, b) => Math.Abs(a - b) < 1e-6f);
    }

    [Theory]
    [InlineData(5), InlineData(6), InlineData(double.PositiveInfinity)]
    public void Gradients_within_the_limit_keep_their_bits(double maximum)
    {
        using var scope = NewDisposeScope();
        var parameters = With([3f], [0f, 4f]);
        var clipped = GradientClipping.Apply(parameters, maximum);
        Assert.Equal(new ClippedGradients(5, 1, null), clipped);
        Assert.Equal(3f, parameters[0].Tensor.grad!.item<float>());
    }

    [Theory]
    [InlineData(float.NaN), InlineData(float.PositiveInfinity), InlineData(float.NegativeInfinity)]
    public void What_is_not_finite_is_named_and_nothing_is_scaled(float bad)
    {
        using var scope = NewDisposeScope();
        var parameters = With([300f], [1f, bad], [bad]);
        var clipped = GradientClipping.Apply(parameters, 1);
        Assert.Equal("p1", clipped.NonFinite);
        Assert.False(double.IsFinite(clipped.Norm));
        Assert.Equal(300f, parameters[0].Tensor.grad!.item<float>());
        Assert.Equal(GradientClipping.Tables, GradientClipping.Apply(With([1f]), 1, bad).NonFinite);
    }

    [Theory]
    [InlineData(1e-30f), InlineData(1e-22f), InlineData(1e25f)]
    public void Sizes_whose_squares_leave_float_range_are_measured(float size)
    {
        using var scope = NewDisposeScope();
        var clipped = GradientClipping.Apply(With([3 * size, 4 * size], [0f]), double.PositiveInfinity);
        Assert.Null(clipped.NonFinite);
        Assert.Equal(5, clipped.Norm / size, 5);
    }

    [Fact]
    public void A_gradient_of_millions_agrees_with_a_double_sum_to_one_in_ten_thousand()
    {
        using var scope = NewDisposeScope();
        var gradient = randn(3_000_000, generator: new Generator(1)) + 1;
        var parameter = Of("p", zeros(3_000_000));
        parameter.Tensor.grad = gradient;
        var expected = gradient.to(ScalarType.Float64).norm().item<double>();
        Assert.Equal(1, GradientClipping.Apply([parameter], double.PositiveInfinity).Norm / expected, 1e-4);
    }

    [Fact]
    public void Bad_arguments_are_refused()
    {
        using var scope = NewDisposeScope();
        foreach (var maximum in (double[])[0, -1, double.NaN])
            Assert.Throws<ArgumentOutOfRangeException>(() => GradientClipping.Apply([], maximum));
        var without = Of("unused", zeros(1));
        Assert.Contains("'unused'", Assert.Throws<InvalidOperationException>(() => GradientClipping.Apply([without], 1)).Message);
        Assert.Equal(new ClippedGradients(3, 1.0 / 3, null), GradientClipping.Apply([], 1, 9));
    }

    private static ModelParameter Of(string name, Tensor value) => new(name, new Parameter(value), ParameterRole.Vector, default, []);

    private static ModelParameter[] With(params float[][] gradients) =>
        [
            .. gradients.Select(
                (g, i) =>
                {
                    var parameter = Of($"p{i}", zeros(g.Length));
                    parameter.Tensor.grad = tensor(g);
                    return parameter;
                }
            ),
        ];
}

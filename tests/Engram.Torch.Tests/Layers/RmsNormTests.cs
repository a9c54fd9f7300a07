using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class RmsNormTests
{
    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Hand_computed_row(ScalarType type)
    {
        using var scope = NewDisposeScope();
        // Mean square of 1, 2, 2, 4 is 6.25: everything is divided by 2.5.
        var y = RmsNorm.Apply(tensor(new double[] { 1, 2, 2, 4 }, [1, 4]).to(type), ones(4, type), 0);
        TensorAssert.Close(tensor(new[] { 0.4, 0.8, 0.8, 1.6 }, [1, 4]), y, 1e-7); // one rounding of float32
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void A_positive_factor_on_the_input_changes_nothing(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (x, gain) = (Sample.Normal(1, type, 5, 9), Sample.Normal(2, type, 9));
        // Powers of two change exponents only; ε must be out of sight.
        TensorAssert.BitIdentical(RmsNorm.Apply(x, gain, 0), RmsNorm.Apply(x * 1024, gain, 0));
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void A_zero_row_gives_zero_and_a_finite_gradient(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (x, gain) = (zeros([2, 6], type).requires_grad_(), Sample.Leaf(2, type, 6));
        var y = RmsNorm.Apply(x, gain, 1e-6);
        TensorAssert.Zero(y);
        y.backward([ones_like(y)]);
        // dy/dx = gain / √ε
        TensorAssert.Close(gain.detach().expand(2, 6) * 1e3, x.grad!, 1e-6);
        TensorAssert.Zero(gain.grad!);
    }

    [Fact]
    public void The_paper_epsilon_is_not_lost_in_single_precision()
    {
        using var scope = NewDisposeScope();
        // Mean square 1e-20 equals ε = 1e-20: the result is 1/√2, although squares of such values are far below float32's 6e-8.
        var y = RmsNorm.Apply(full([1, 8], 1e-10f), ones(8), 1e-20);
        TensorAssert.Close(full([1, 8], Math.Sqrt(0.5), ScalarType.Float64), y, 1e-6);
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        var (x, gain) = (Sample.Leaf(1, ScalarType.Float64, 2, 3, 7), Sample.Leaf(2, ScalarType.Float64, 7));
        var weights = Sample.Normal(3, ScalarType.Float64, 2, 3, 7);
        FiniteDifferences.Check(() => (RmsNorm.Apply(x, gain, 1e-3) * weights).sum(), [("x", x), ("gain", gain)]);
    }

    [Fact]
    public void Without_a_gain_the_rows_have_unit_mean_square()
    {
        using var scope = NewDisposeScope();
        var y = RmsNorm.Unit(Sample.Normal(1, ScalarType.Float64, 4, 32) * 5, 0);
        TensorAssert.Close(ones([4], ScalarType.Float64), y.square().mean([-1L]), 1e-14);
    }
}

using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class SwiGluTests
{
    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Hand_computed_token(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var parameters = TinyModels.Parameters(type);
        var layer = new SwiGlu("mlp", width: 2, TinyModels.Dense with { HiddenSize = 2 }, parameters);
        // x = (1, 2); gate rows first: gate = (2, −1), up = (3, 5); the second output reads the second unit alone.
        parameters["mlp.gate_up_proj.weight"].Tensor.copy_(tensor(new double[] { 2, 0, 1, -1, 1, 1, 1, 2 }, [4, 2]));
        parameters["mlp.down_proj.weight"].Tensor.copy_(tensor(new double[] { 1, 10, 0, 1 }, [2, 2]));
        var y = layer.Forward(tensor(new double[] { 1, 2 }, [1, 2]).to(type));
        var (first, second) = (2 / (1 + Math.Exp(-2)) * 3, -1 / (1 + Math.Exp(1)) * 5);
        TensorAssert.Close(tensor(new[] { first + 10 * second, second }, [1, 2]), y, 1e-6); // a handful of float32 roundings
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        var parameters = TinyModels.Parameters(ScalarType.Float64);
        var layer = new SwiGlu("mlp", width: 5, TinyModels.Dense with { HiddenSize = 6 }, parameters);
        Sample.Fill(parameters, 1);
        var x = Sample.Leaf(2, ScalarType.Float64, 4, 6);
        var weights = Sample.Normal(3, ScalarType.Float64, 4, 6);
        FiniteDifferences.Check(() => (layer.Forward(x) * weights).sum(), [("x", x), .. parameters.Leaves()]);
    }

    [Fact]
    public void Both_precisions_agree()
    {
        using var scope = NewDisposeScope();
        var pair = new LayerPair<SwiGlu>(parameters => new SwiGlu("mlp", width: 5, TinyModels.Dense with { HiddenSize = 6 }, parameters));
        Kernels.KernelCheck.Agrees(
            x => pair.Single.Forward(x[0]),
            x => pair.Double.Forward(x[0]),
            [Sample.Normal(2, ScalarType.Float32, 9, 6)]
        );
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, Kernels.KernelCheck.Rounding);
    }
}

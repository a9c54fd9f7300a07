using Engram.Models.Configuration;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class StreamHeadTests
{
    private const int Streams = 3;
    private const int Width = 5;

    /// <summary>
    /// Streams 3 and 4 of one feature have the joint root mean square 5/√2. fn (1, 0; 0, −1) gives z = (3, −4)·√2/5 = (0.84853, −1.13137);
    /// with scale 0.5 and base (0, 1) the weights are the sigmoids of 0.42426 and 0.43431, plus ε.
    /// </summary>
    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Hand_computed_token(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var parameters = TinyModels.Parameters(type);
        var layer = new StreamHead(
            TinyModels.Dense with
            {
                HcMult = 2,
                HiddenSize = 1,
                RmsNormEps = 1e-20,
                HcExit = StreamExit.Head,
            },
            "head",
            parameters
        );
        parameters["head_fn"].Tensor.copy_(tensor(new double[] { 1, 0, 0, -1 }, [2, 2]));
        parameters["head_scale"].Tensor.copy_(tensor(new[] { 0.5 }));
        parameters["head_base"].Tensor.copy_(tensor(new double[] { 0, 1 }));
        double Weight(double w) => 1 / (1 + Math.Exp(-w)) + 1e-6;
        var expected = Weight(0.3 * Math.Sqrt(2)) * 3 + Weight(1 - 0.4 * Math.Sqrt(2)) * 4;
        TensorAssert.Close(
            tensor(new[] { expected }, [1, 1, 1]),
            layer.Forward(tensor(new double[] { 3, 4 }, [1, 1, 2, 1]).to(type)),
            2e-7
        ); // float32 rounding
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        var parameters = TinyModels.Parameters(ScalarType.Float64);
        var layer = New(parameters);
        Sample.Fill(parameters, 3);
        var x = Sample.Leaf(1, ScalarType.Float64, 2, 4, Streams, Width);
        var weights = Sample.Normal(3, ScalarType.Float64, 2, 4, Width);
        FiniteDifferences.Check(() => (layer.Forward(x) * weights).sum(), [("streams", x), .. parameters.Leaves()]);
    }

    [Fact]
    public void Both_precisions_agree()
    {
        using var scope = NewDisposeScope();
        var pair = new LayerPair<StreamHead>(New);
        KernelCheck.Agrees(
            x => pair.Single.Forward(x[0]),
            x => pair.Double.Forward(x[0]),
            [Sample.Normal(2, ScalarType.Float32, 3, 4, Streams, Width)]
        );
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, KernelCheck.Rounding);
    }

    private static StreamHead New(ModelParameters parameters) =>
        new(TinyModels.Dense with { HcMult = Streams, HiddenSize = Width, HcExit = StreamExit.Head }, "head", parameters);
}

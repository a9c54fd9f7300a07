using Engram.Torch.Layers;
using Engram.Torch.Tests.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class FreeHyperConnectionTests
{
    private const int Streams = 3;
    private const int Width = 5;

    /// <summary>
    /// Two streams of one feature, 3 and −4, which their own norms make 1 and −1. fn: read ½, write 0, mix (1, −1); scales 0.1 for reading
    /// and mixing, 0.2 for writing; with a = tanh ½ = 0.46212 and b = tanh 1 = 0.76159 the dynamic parts are: read ±0.1a, mix source 0
    /// (0.1b, −0.1b), source 1 (−0.1b, 0.1b).
    /// </summary>
    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Hand_computed_token(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var parameters = TinyModels.Parameters(type);
        var layer = new FreeHyperConnection(
            TinyModels.Dense with
            {
                HcMult = 2,
                HiddenSize = 1,
                HcConstrained = false,
                RmsNormEps = 1e-20,
            },
            "hc",
            0,
            parameters
        );
        parameters["hc_fn"].Tensor.copy_(tensor(new[] { 0.5, 0, 1, -1 }, [4, 1]));
        parameters["hc_scale"].Tensor.copy_(tensor(new[] { 0.1, 0.2 }));
        // Static: read (0.7, 0.3), write (1, 2), mix source 0 to (1, 0.5), source 1 to (0, 1).
        parameters["hc_base"].Tensor.copy_(tensor(new[] { 0.7, 0.3, 1, 2, 1, 0.5, 0, 1 }));
        var streams = tensor(new double[] { 3, -4 }, [1, 2, 1]).to(type);
        var (input, coefficients) = layer.Read(streams);
        var (a, b) = (0.1 * Math.Tanh(0.5), 0.1 * Math.Tanh(1));
        // float32 rounding
        TensorAssert.Close(tensor(new[] { 0.7 + a, 0.3 - a, 1, 2, 1 + b, 0.5 - b, -b, 1 + b }, [1, 8]), coefficients, 2e-7);
        TensorAssert.Close(tensor(new[] { (0.7 + a) * 3 - (0.3 - a) * 4 }, [1, 1]), input, 2e-7);
        var written = layer.Write(streams, tensor(new double[] { 100 }, [1, 1]).to(type), coefficients);
        TensorAssert.Close(tensor(new[] { 100 + (1 + b) * 3 + b * 4, 200 + (0.5 - b) * 3 - (1 + b) * 4 }, [1, 2, 1]), written, 2e-7);
    }

    [Fact]
    public void Gradients_match_finite_differences()
    {
        using var scope = NewDisposeScope();
        var parameters = TinyModels.Parameters(ScalarType.Float64);
        var layer = New(parameters);
        Sample.Fill(parameters, 3);
        var (x, matrix) = (Sample.Leaf(1, ScalarType.Float64, 4, Streams, Width), Sample.Leaf(2, ScalarType.Float64, Width, Width));
        var weights = Sample.Normal(3, ScalarType.Float64, 4, Streams, Width);
        FiniteDifferences.Check(
            () => (Through(layer, x, input => input.mm(matrix).tanh()) * weights).sum(),
            [("streams", x), ("sub-layer", matrix), .. parameters.Leaves()]
        );
    }

    [Fact]
    public void Both_precisions_agree()
    {
        using var scope = NewDisposeScope();
        var pair = new LayerPair<FreeHyperConnection>(New);
        KernelCheck.Agrees(
            x => Through(pair.Single, x[0], input => input.tanh()),
            x => Through(pair.Double, x[0], input => input.tanh()),
            [Sample.Normal(2, ScalarType.Float32, 9, Streams, Width)]
        );
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, KernelCheck.Rounding);
    }

    [Theory, InlineData(0), InlineData(2), InlineData(4)]
    public void The_start_reads_one_stream_writes_to_all_and_mixes_none(int index)
    {
        using var scope = NewDisposeScope();
        var parameters = TinyModels.Parameters(ScalarType.Float32);
        var layer = New(parameters, index);
        parameters.Initialize(1);
        var coefficients = layer.Read(Sample.Normal(1, ScalarType.Float32, 2, Streams, Width)).Coefficients;
        foreach (var values in coefficients.Rows())
        {
            Assert.Equal(Enumerable.Range(0, Streams).Select(m => m == index % Streams ? 1.0 : 0), values[..Streams]);
            Assert.Equal(Enumerable.Repeat(1.0, Streams), values[Streams..(2 * Streams)]);
            Assert.Equal(Enumerable.Range(0, Streams * Streams).Select(i => i % (Streams + 1) == 0 ? 1.0 : 0), values[(2 * Streams)..]);
        }
    }

    private static FreeHyperConnection New(ModelParameters parameters) => New(parameters, 0);

    private static FreeHyperConnection New(ModelParameters parameters, int index) =>
        new(TinyModels.Dense with { HcMult = Streams, HiddenSize = Width, HcConstrained = false }, "hc", index, parameters);

    private static Tensor Through(FreeHyperConnection layer, Tensor streams, Func<Tensor, Tensor> subLayer)
    {
        var (input, coefficients) = layer.Read(streams);
        return layer.Write(streams, subLayer(input), coefficients);
    }
}

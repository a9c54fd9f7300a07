using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

public class HyperConnectionKernelTests
{
    public static TheoryData<int, int, int, int> Cases()
    {
        var cases = new TheoryData<int, int, int, int>();
        foreach (var tokens in KernelCheck.TokenCounts)
        foreach (var (streams, width) in new[] { (2, 1), (2, 5), (3, 7), (4, 8), (4, 33), (5, 3) })
        foreach (var threads in tokens < 64 ? [1] : new[] { 1, 2 })
            cases.Add(tokens, streams, width, threads);
        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Coefficients_agree_with_the_composed_form(int tokens, int streams, int width, int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        var pair = Pair(streams, width);
        var x32 = Sample.Leaf(1, ScalarType.Float32, tokens, streams, width);
        var x64 = x32.detach().to(ScalarType.Float64).requires_grad_();
        Tensor Parameter(string name) => pair.SingleParameters[name].Tensor;
        var actual = HyperConnectionCoefficientKernel.Apply(
            x32,
            Parameter("hc_fn"),
            Parameter("hc_base"),
            Parameter("hc_scale"),
            20,
            1e-6,
            KernelCheck.Epsilon
        );
        var expected = pair.Double.ReadComposed(x64).Coefficients;
        TensorAssert.Close(expected, actual, KernelCheck.Rounding);

        var upstream = Sample.Normal(2, ScalarType.Float32, expected.shape);
        actual.backward([upstream]);
        expected.backward([upstream.to(ScalarType.Float64)]);
        TensorAssert.Close(x64.grad!, x32.grad!, KernelCheck.Rounding, "gradient of the streams");
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, 4e-6); // sums of up to 131 · 25 terms
    }

    [Theory, MemberData(nameof(Cases))]
    public void Read_agrees_with_the_composed_form(int tokens, int streams, int width, int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        KernelCheck.Agrees(
            x => HyperConnectionReadKernel.Apply(x[0], x[1]),
            x => (x[1].narrow(1, 0, streams).unsqueeze(-1) * x[0]).sum(1),
            [
                Sample.Normal(1, ScalarType.Float32, tokens, streams, width),
                Sample.Normal(2, ScalarType.Float32, tokens, HyperConnection.Coefficients(streams)),
            ]
        );
    }

    [Theory, MemberData(nameof(Cases))]
    public void Write_agrees_with_the_composed_form(int tokens, int streams, int width, int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        KernelCheck.Agrees(
            x => HyperConnectionWriteKernel.Apply(x[0], x[1], x[2]),
            x => HyperConnection.WriteComposed(x[0], x[1], x[2]),
            [
                Sample.Normal(1, ScalarType.Float32, tokens, streams, width),
                Sample.Normal(2, ScalarType.Float32, tokens, width),
                Sample.Normal(3, ScalarType.Float32, tokens, HyperConnection.Coefficients(streams)),
            ]
        );
    }

    [Fact]
    public void Read_and_write_together_agree_with_the_composed_layer()
    {
        using var scope = NewDisposeScope();
        var pair = Pair(4, 8);
        var inputs = new[] { Sample.Normal(1, ScalarType.Float32, 70, 4, 8), Sample.Normal(2, ScalarType.Float32, 8, 8) };
        static Tensor Run(HyperConnection layer, Tensor[] x)
        {
            var (input, coefficients) = layer.Read(x[0]);
            return layer.Write(x[0], input.mm(x[1]).tanh(), coefficients);
        }

        KernelCheck.Agrees(x => Run(pair.Single, x), x => Run(pair.Double, x), inputs, 4e-6); // three kernels one after the other
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, 4e-6);
    }

    private static LayerPair<HyperConnection> Pair(int streams, int width)
    {
        var configuration = TinyModels.Dense with { HcMult = streams, HiddenSize = width, RmsNormEps = KernelCheck.Epsilon };
        return new(parameters => new HyperConnection(configuration, "hc", 0, parameters));
    }
}

using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

public class ShortConvolutionKernelTests
{
    // The kernel divides sequences among threads, from 64 on.
    public static TheoryData<int, int, int, int, int, int> Cases()
    {
        var cases = new TheoryData<int, int, int, int, int, int>();
        foreach (var (batch, length) in new[] { (1, 1), (1, 2), (3, 13), (63, 4), (64, 4), (65, 5) })
        foreach (var (branches, width) in new[] { (1, 3), (2, 5), (4, 8), (3, 17) })
        foreach (var (kernel, dilation) in new[] { (4, 3), (2, 1), (1, 1), (3, 4) })
        foreach (var threads in batch < 64 ? [1] : new[] { 1, 2 })
            cases.Add(batch, length, branches, width, kernel * 10 + dilation, threads);
        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Agrees_with_the_composed_form(int batch, int length, int branches, int width, int kernelAndDilation, int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        var engram = TinyModels.Engram with { ConvKernel = kernelAndDilation / 10, ConvDilation = kernelAndDilation % 10 };
        var pair = new LayerPair<ShortConvolution>(parameters => new ShortConvolution(engram, branches, width, "e", parameters));
        var starts = DocumentStarts(batch, length);
        var ages = Sample.Ages(starts, batch, length);
        var (taps, gain) = (pair.SingleParameters["e.conv.weight"].Tensor, pair.SingleParameters["e.conv_norm.weight"].Tensor);
        KernelCheck.Agrees(
            x =>
                ShortConvolutionKernel.Apply(
                    x[0],
                    taps,
                    gain,
                    ages,
                    engram.ConvKernel,
                    engram.ConvDilation,
                    EngramConfiguration.ConvNormEpsilon
                ),
            x => pair.Double.Composed(x[0], ages, null),
            [Sample.Normal(1, ScalarType.Float32, batch, length, branches, width)],
            4e-6
        );
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, 4e-6);
    }

    [Fact]
    public void Zero_values_stay_zero_with_finite_gradients()
    {
        using var scope = NewDisposeScope();
        var u = zeros([2, 6, 2, 3], ScalarType.Float32).requires_grad_();
        var y = ShortConvolutionKernel.Apply(
            u,
            Sample.Normal(1, ScalarType.Float32, 6, 1, 4),
            Sample.Normal(2, ScalarType.Float32, 2, 3),
            Sample.Ages([], 2, 6),
            4,
            1,
            EngramConfiguration.ConvNormEpsilon
        );
        TensorAssert.Zero(y);
        y.sum().backward();
        Assert.All(u.grad!.Values(), value => Assert.True(double.IsFinite(value)));
    }

    private static bool[] DocumentStarts(int batch, int length)
    {
        var random = new Random(11);
        return [.. Enumerable.Range(0, batch * length).Select(_ => random.Next(6) == 0)];
    }
}

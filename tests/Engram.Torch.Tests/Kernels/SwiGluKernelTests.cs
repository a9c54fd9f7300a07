using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

public class SwiGluKernelTests
{
    public static TheoryData<int, int, int> Cases => KernelCheck.Cases();

    [Theory, MemberData(nameof(Cases))]
    public void Agrees_with_the_composed_form(int tokens, int width, int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        KernelCheck.Agrees(
            x => SwiGluKernel.Apply(x[0]),
            x => SwiGlu.Composed(x[0]),
            [Sample.Normal(1, ScalarType.Float32, tokens, 2 * width) * 2]
        );
    }

    [Fact]
    public void Large_gates_saturate_without_overflow()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { -200, -90, 90, 200, 1, 1, 1, 1 }, [1, 8]).requires_grad_();
        var y = SwiGluKernel.Apply(x);
        y.sum().backward();
        Assert.Equal([0, 0, 90, 200], y.Values());
        Assert.Equal([0, 0, 1, 1, 0, 0, 90, 200], x.grad!.Values());
    }

    [Fact]
    public void No_rows_at_all_are_allowed()
    {
        using var scope = NewDisposeScope();
        var x = zeros([0, 6], ScalarType.Float32).requires_grad_();
        var y = SwiGluKernel.Apply(x);
        y.sum().backward();
        Assert.Equal([0L, 3L], y.shape);
        Assert.Equal([0L, 6L], x.grad!.shape);
    }
}

using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

public class RmsNormKernelTests
{
    public static TheoryData<int, int, int> Cases => KernelCheck.Cases();

    [Theory, MemberData(nameof(Cases))]
    public void Agrees_with_the_composed_form(int tokens, int width, int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        KernelCheck.Agrees(
            x => RmsNormKernel.Apply(x[0], x[1], KernelCheck.Epsilon),
            x => RmsNorm.Composed(x[0], x[1], KernelCheck.Epsilon),
            [Sample.Normal(1, ScalarType.Float32, tokens, width), Sample.Normal(2, ScalarType.Float32, width)]
        );
    }

    [Fact]
    public void Takes_higher_dimensions_and_strided_inputs()
    {
        using var scope = NewDisposeScope();
        static Tensor View(Tensor x) => x.narrow(-1, 2, 7).transpose(0, 1);
        KernelCheck.Agrees(
            x => RmsNormKernel.Apply(View(x[0]), x[1], 1e-6),
            x => RmsNorm.Composed(View(x[0]), x[1], 1e-6),
            [Sample.Normal(1, ScalarType.Float32, 3, 25, 11), Sample.Normal(2, ScalarType.Float32, 7)]
        );
    }

    [Fact]
    public void One_and_two_threads_give_the_same_rows_and_input_gradients()
    {
        using var scope = NewDisposeScope();
        (Tensor Value, Tensor Gradient) Run(int threads)
        {
            using var _ = new Threads(threads);
            var x = Sample.Leaf(1, ScalarType.Float32, 65, 17);
            var y = RmsNormKernel.Apply(x, Sample.Normal(2, ScalarType.Float32, 17), 1e-6);
            y.backward([Sample.Normal(3, ScalarType.Float32, 65, 17)]);
            return (y, x.grad!);
        }

        var (one, two) = (Run(1), Run(2));
        TensorAssert.BitIdentical(one.Value, two.Value);
        TensorAssert.BitIdentical(one.Gradient, two.Gradient);
    }
}

using Engram.Torch.Kernels;
using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

public class LinearCrossEntropyKernelTests
{
    public static TheoryData<int, int, int> Cases => KernelCheck.Cases();

    [Theory, MemberData(nameof(Cases))]
    public void Agrees_with_cross_entropy_of_the_logits(int tokens, int width, int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        Compare(tokens, width, vocabulary: 29);
    }

    // Chunks hold 2 MiB of logits, 512 KiB per 16 rows of 8,192: 131 rows cross several chunk borders, and the last chunk is partial.
    [Theory, InlineData(1), InlineData(2)]
    public void Agrees_across_chunks(int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        Compare(tokens: 131, width: 9, vocabulary: 8192);
    }

    /// <summary>The losses of single rows, of which the loss is the mean: through the kernel, and composed where there is none.</summary>
    [Theory, InlineData(1), InlineData(2)]
    public void Single_losses_are_those_of_the_logits(int threads)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        var (hidden, weight) = (Sample.Normal(1, ScalarType.Float32, 131, 9), Sample.Normal(2, ScalarType.Float32, 8192, 9));
        var targets = Enumerable.Range(0, 131).Select(i => i * 61 % 8192).ToArray();
        var expected = nn.functional.cross_entropy(
            hidden.to(ScalarType.Float64).mm(weight.to(ScalarType.Float64).t()),
            tensor(targets, ScalarType.Int64),
            reduction: nn.Reduction.None
        );
        var losses = LinearCrossEntropyKernel.Losses(hidden, weight, targets);
        TensorAssert.Close(expected, tensor(losses), 2e-5); // float32 logits of some ten products
        Assert.Equal(losses.Average(), LinearCrossEntropyKernel.Apply(hidden, weight, targets).item<float>(), 1e-5);
    }

    [Fact]
    public void Uniform_logits_cost_the_logarithm_of_the_vocabulary()
    {
        using var scope = NewDisposeScope();
        var loss = LinearCrossEntropyKernel.Apply(
            zeros([5, 4], ScalarType.Float32),
            Sample.Normal(1, ScalarType.Float32, 32, 4),
            [0, 7, 31, 8, 8]
        );
        Assert.Equal(MathF.Log(32), loss.item<float>());
    }

    [Fact]
    public void Large_logits_do_not_overflow()
    {
        using var scope = NewDisposeScope();
        var hidden = tensor(new float[] { 1000, -1000 }, [2, 1]).requires_grad_();
        var loss = LinearCrossEntropyKernel.Apply(hidden, tensor(new float[] { 1, -1 }, [2, 1]), [0, 0]);
        loss.backward();
        // Row 0 is certain and right (loss 0), row 1 certain and wrong by a margin of 2000 nats; each counts one half.
        Assert.Equal(1000f, loss.item<float>());
        Assert.Equal([0, -1], hidden.grad!.Values());
    }

    [Fact]
    public void The_upstream_gradient_scales_both_gradients()
    {
        using var scope = NewDisposeScope();
        KernelCheck.Agrees(
            x => LinearCrossEntropyKernel.Apply(x[0], x[1], [3, 0, 6]) * 0.25,
            x => nn.functional.cross_entropy(x[0].mm(x[1].t()), tensor(new long[] { 3, 0, 6 })) * 0.25,
            [Sample.Normal(1, ScalarType.Float32, 3, 5), Sample.Normal(2, ScalarType.Float32, 7, 5)]
        );
    }

    [Fact]
    public void Without_gradients_only_the_value_is_computed()
    {
        using var scope = NewDisposeScope();
        var (hidden, weight) = (Sample.Leaf(1, ScalarType.Float32, 4, 5), Sample.Leaf(2, ScalarType.Float32, 7, 5));
        var withGradient = LinearCrossEntropyKernel.Apply(hidden, weight, [0, 1, 2, 3]);
        using var noGrad = no_grad();
        var without = LinearCrossEntropyKernel.Apply(hidden, weight, [0, 1, 2, 3]);
        Assert.True(withGradient.requires_grad);
        Assert.False(without.requires_grad);
        TensorAssert.BitIdentical(withGradient, without);
    }

    private static void Compare(int tokens, int width, int vocabulary)
    {
        var targets = Sample.Ids(4, tokens, vocabulary);
        KernelCheck.Agrees(
            x => LinearCrossEntropyKernel.Apply(x[0], x[1], targets),
            x => nn.functional.cross_entropy(x[0].mm(x[1].t()), tensor(targets, ScalarType.Int64)),
            [Sample.Normal(1, ScalarType.Float32, tokens, width), Sample.Normal(2, ScalarType.Float32, vocabulary, width)]
        );
    }
}

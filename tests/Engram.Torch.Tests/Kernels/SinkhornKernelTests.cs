using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

public class SinkhornKernelTests
{
    private const int Rounds = 20;
    private const double Epsilon = 1e-6;

    /// <summary>
    /// Source rows of the example and its balanced form (n = 4, 20 rounds, ε 1e-6), measured in float64 outside this project.
    /// </summary>
    private static readonly double[] Example = [0, 1, 2, 3, 1, -1, 0.5, 0, 2, 0, -2, 1, 0.3, 0.2, 0.1, -0.4];

    private static readonly double[] Balanced =
    [
        0.019369655,
        0.171558723,
        0.303905344,
        0.505165278,
        0.311855892,
        0.137523160,
        0.401648830,
        0.148971118,
        0.510837340,
        0.225269757,
        0.019869152,
        0.244022752,
        0.157936114,
        0.465647360,
        0.274575675,
        0.101839852,
    ];

    private static readonly double[] NearIdentity = [.. Enumerable.Range(0, 16).Select(i => i % 5 == 0 ? 0.0 : -8.0)];

    public static TheoryData<double[], double[]> Goldens =>
        new()
        {
            { Example, Balanced },
            { new double[16], [.. Enumerable.Repeat(0.24999975, 16)] },
            { NearIdentity, [.. Enumerable.Range(0, 16).Select(i => i % 5 == 0 ? 0.998990629 : 0.000336124)] },
        };

    [Theory, MemberData(nameof(Goldens))]
    public void The_composed_form_meets_the_goldens(double[] logits, double[] expected)
    {
        using var scope = NewDisposeScope();
        var actual = HyperConnection.Sinkhorn(tensor(logits, [4, 4]), Rounds, Epsilon).Values();
        // The goldens are printed to nine decimals.
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
    }

    [Theory, MemberData(nameof(Goldens))]
    public void The_kernel_meets_the_goldens(double[] logits, double[] expected)
    {
        var single = logits.Select(x => (float)x).ToArray();
        var actual = Run(4, single, new float[16]).Result;
        // 39 normalisations of float32, each exact to 2⁻²³ = 1.2e-7 and contracting what came before it.
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 5e-7));
    }

    // Few rounds as well: after twenty the matrix has converged, and a step more or less in the backward pass would not show.
    public static TheoryData<int, int, int> SizesAndCounts()
    {
        var cases = new TheoryData<int, int, int>();
        foreach (var n in new[] { 1, 2, 3, 4, 5 })
            for (var count = 1; count <= SinkhornKernel.Lanes; count++)
                foreach (var rounds in new[] { 1, 2, Rounds })
                    cases.Add(n, count, rounds);
        return cases;
    }

    [Theory, MemberData(nameof(SizesAndCounts))]
    public void Agrees_with_the_composed_form_for_every_number_of_lanes(int n, int count, int rounds)
    {
        using var scope = NewDisposeScope();
        var logits = Sample.Normal(n, ScalarType.Float64, count, n, n).requires_grad_();
        var upstream = Sample.Normal(n + 50, ScalarType.Float64, count, n, n);
        var expected = HyperConnection.Sinkhorn(logits, rounds, Epsilon);
        expected.backward([upstream]);

        var (result, gradient) = Run(
            n,
            [.. logits.Values().Select(x => (float)x)],
            [.. upstream.Values().Select(x => (float)x)],
            count,
            rounds
        );
        TensorAssert.Close(expected, tensor(result, [count, n, n]), KernelCheck.Rounding);
        // The gradient of balancing is small against what flows in: measured against the upstream gradient, not against itself.
        var difference = (logits.grad! - tensor(gradient, [count, n, n])).abs().max().item<double>();
        Assert.True(difference <= KernelCheck.Rounding * upstream.abs().max().item<double>(), $"off by {difference}");
    }

    [Fact]
    public void Sources_of_every_destination_sum_to_one_and_the_other_sums_nearly()
    {
        using var scope = NewDisposeScope();
        var balanced = HyperConnection.Sinkhorn(Sample.Normal(8, ScalarType.Float64, 2000, 4, 4), Rounds, Epsilon);
        // The last division is over sources, by their sum plus ε = 1e-6.
        Assert.InRange((balanced.sum(1) - 1).abs().max().item<double>(), 0, 2e-6);
        // The destination sums have converged to ε for the typical standard normal matrix, and have a heavy tail: the largest deviation of
        // 2000 matrices lies between 7e-5 and 1.3e-3, depending on the sample.
        var deviations = (balanced.sum(2) - 1).abs().amax(1);
        Assert.InRange(deviations.median().item<double>(), 0, 1.1e-6);
        Assert.InRange(deviations.max().item<double>(), 0, 5e-3);
    }

    [Fact]
    public void A_product_of_sixty_maps_keeps_the_gain()
    {
        using var scope = NewDisposeScope();
        var maps = HyperConnection.Sinkhorn(Sample.Normal(9, ScalarType.Float64, 60, 4, 4) * 3, Rounds, Epsilon);
        var product = maps[0];
        for (var i = 1; i < 60; i++)
            product = product.matmul(maps[i]);
        // Each map loses ε = 1e-6 of the source sums: 6e-5 after sixty.
        Assert.InRange((product.sum([0L]) - 1).abs().max().item<double>(), 0, 1e-4);
    }

    private static unsafe (float[] Result, float[] Gradient) Run(
        int n,
        float[] logits,
        float[] upstream,
        int count = 1,
        int rounds = Rounds
    )
    {
        var kernel = new SinkhornKernel(n, rounds, (float)Epsilon);
        var (result, gradient) = (new float[logits.Length], new float[logits.Length]);
        fixed (
            float* pl = logits,
                pr = result,
                pu = upstream,
                pg = gradient
        )
        {
            kernel.Forward(pl, n * n, count, pr);
            kernel.Backward(pu, n * n, count, pg, n * n);
        }

        return (result, gradient);
    }
}

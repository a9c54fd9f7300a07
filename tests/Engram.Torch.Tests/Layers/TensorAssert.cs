using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Comparisons of whole tensors.</summary>
internal static class TensorAssert
{
    /// <summary>
    /// Largest difference at most <paramref name="tolerance"/> times the largest expected magnitude: rounding errors of sums scale with
    /// their terms, so elements that happen to cancel are not held to their own size.
    /// </summary>
    public static void Close(Tensor expected, Tensor actual, double tolerance, string what = "result")
    {
        Assert.Equal(expected.shape, actual.shape);
        var (e, a) = (expected.Values(), actual.Values());
        var (worst, at, largest) = (0.0, 0, 0.0);
        for (var i = 0; i < e.Length; i++)
        {
            Assert.True(double.IsFinite(e[i]) && double.IsFinite(a[i]), $"{what}[{i}]: expected {e[i]}, got {a[i]}.");
            largest = Math.Max(largest, Math.Abs(e[i]));
            if (Math.Abs(e[i] - a[i]) > worst)
                (worst, at) = (Math.Abs(e[i] - a[i]), i);
        }

        Assert.True(
            worst <= tolerance * largest,
            $"{what}[{at}]: expected {e[at]:G9}, got {a[at]:G9}; off by {worst:G3} where {tolerance:G3} of {largest:G3} is allowed."
        );
    }

    /// <summary>Every bit equal, signed zeros and NaN included.</summary>
    public static void BitIdentical(Tensor expected, Tensor actual, string what = "result")
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.Equal(expected.dtype, actual.dtype);
        using var scope = NewDisposeScope();
        var same = expected.detach().contiguous().bytes.SequenceEqual(actual.detach().contiguous().bytes);
        Assert.True(same, $"{what} is not bit for bit the same.");
    }

    /// <summary>Every value 0.</summary>
    public static void Zero(Tensor actual, string what = "result") =>
        Assert.All(actual.Values(), value => Assert.True(value == 0, $"{what} holds {value}."));

    /// <summary>The gradients of equally named parameters of two models agree, and none is missing or zero throughout.</summary>
    public static void GradientsClose(ModelParameters expected, ModelParameters actual, double tolerance)
    {
        Assert.Equal(expected.All.Select(p => p.Name), actual.All.Select(p => p.Name));
        foreach (var (e, a) in expected.All.Zip(actual.All))
        {
            var gradient = e.Tensor.grad;
            Assert.True(gradient is not null && a.Tensor.grad is not null, $"{e.Name} has no gradient.");
            Assert.True(gradient!.abs().max().Number() > 0, $"{e.Name}: the expected gradient is zero, which tests nothing.");
            Close(gradient!, a.Tensor.grad!, tolerance, $"gradient of {e.Name}");
        }
    }

    private static double Number(this Tensor scalar) => scalar.to(ScalarType.Float64).item<double>();
}

using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

/// <summary>
/// A float32 kernel against its composed reference, which runs in float64 on the same inputs: value and gradient of every input.
/// </summary>
internal static class KernelCheck
{
    /// <summary>
    /// Float32 rounds to 2⁻²⁴ = 6e-8 of a term. The longest sums here have some hundred terms, so errors of a few tens of roundings, 2e-6
    /// of the largest element, are rounding; a lost, doubled or misplaced element is of the order of the largest element itself.
    /// </summary>
    public const double Rounding = 2e-6;

    /// <summary>
    /// ε of norms: large, so that it counts, and so that a row of one element does not lose its gradient to cancellation.
    /// </summary>
    public const double Epsilon = 0.1;

    /// <summary>
    /// Rows below, at and above the count from which kernels divide work among threads (64), and a count that two threads share unevenly.
    /// </summary>
    public static readonly int[] TokenCounts = [1, 2, 63, 64, 65, 131];

    /// <summary>Widths around the vector widths 4, 8 and 16.</summary>
    public static readonly int[] Widths = [1, 3, 8, 17, 33];

    /// <summary>Token counts with one and two threads, and every width.</summary>
    public static TheoryData<int, int, int> Cases()
    {
        var cases = new TheoryData<int, int, int>();
        foreach (var tokens in TokenCounts)
        foreach (var width in Widths)
        foreach (var threads in tokens < 64 ? [1] : new[] { 1, 2 })
            cases.Add(tokens, width, threads);
        return cases;
    }

    public static void Agrees(Func<Tensor[], Tensor> kernel, Func<Tensor[], Tensor> reference, Tensor[] inputs, double tolerance = Rounding)
    {
        var single = inputs.Select(x => x.detach().clone().requires_grad_()).ToArray();
        var twice = inputs.Select(x => x.detach().to(ScalarType.Float64).requires_grad_()).ToArray();
        var (actual, expected) = (kernel(single), reference(twice));
        TensorAssert.Close(expected, actual, tolerance);

        var upstream = Sample.Normal(99, ScalarType.Float32, expected.shape);
        actual.backward([upstream]);
        expected.backward([upstream.to(ScalarType.Float64)]);
        for (var i = 0; i < inputs.Length; i++)
            TensorAssert.Close(twice[i].grad!, single[i].grad!, tolerance, $"gradient of input {i}");
    }
}

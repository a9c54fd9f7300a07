using static TorchSharp.torch;

namespace Engram.Torch.Kernels;

/// <summary>
/// Where an operation exists twice, as a kernel and as its twin composed of tensor operations, this is the one place that decides which of
/// them computes. docs/kernels.md says why there are two.
/// </summary>
internal static class Fused
{
    /// <summary>The kernel's result for float32 in host memory, the twin's for everything else: the tensor alone decides.</summary>
    /// <param name="input">What the operation works on.</param>
    /// <param name="kernel">One loop over rows, with a backward pass of its own.</param>
    /// <param name="twin">The definition: any device and type.</param>
    public static T Or<T>(Tensor input, Func<T> kernel, Func<T> twin) => HostTensor.Handles(input) ? kernel() : twin();
}

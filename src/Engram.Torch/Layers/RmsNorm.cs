using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>Root-mean-square normalisation over the last axis: y = x · rsqrt(mean(x²) + ε) · g. No mean subtraction, no bias.</summary>
internal static class RmsNorm
{
    /// <summary>Normalises the last axis and multiplies by <paramref name="gain"/>, which broadcasts.</summary>
    public static Tensor Apply(Tensor x, Tensor gain, double epsilon) =>
        Kernels.RmsNormKernel.Handles(x, gain) ? Kernels.RmsNormKernel.Apply(x, gain, epsilon) : Composed(x, gain, epsilon);

    /// <summary>The same from tensor operations: any device and type, and the reference of the kernel.</summary>
    public static Tensor Composed(Tensor x, Tensor gain, double epsilon) => Unit(x, epsilon) * gain;

    /// <summary>x · rsqrt(mean(x²) + ε), without a gain.</summary>
    public static Tensor Unit(Tensor x, double epsilon) => x * x.Squared().mean([-1L], keepdim: true).Plus(epsilon).rsqrt();
}

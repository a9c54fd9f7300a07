using Engram.Torch.Kernels;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: D width of what is normalised

/// <summary>Root-mean-square normalisation over the last axis: y = x · rsqrt(mean(x²) + ε) · g. No mean subtraction, no bias.</summary>
internal static class RmsNorm
{
    /// <summary>x […, D], gain [D] → […, D].</summary>
    public static Tensor Apply(Tensor x, Tensor gain, double epsilon) =>
        Fused.Or(x, kernel: () => RmsNormKernel.Apply(x, gain, epsilon), twin: () => Composed(x, gain, epsilon));

    /// <summary>The twin of the kernel, and more general: the gain is broadcast.</summary>
    public static Tensor Composed(Tensor x, Tensor gain, double epsilon) => Unit(x, epsilon) * gain;

    /// <summary>x · rsqrt(mean(x²) + ε), without a gain.</summary>
    public static Tensor Unit(Tensor x, double epsilon) => x * x.Squared().mean([-1L], keepdim: true).Plus(epsilon).rsqrt();
}

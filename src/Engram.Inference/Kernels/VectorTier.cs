using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Inference.Kernels;

/// <summary>How many values a kernel computes with at once.</summary>
internal enum VectorTier
{
    /// <summary>One.</summary>
    Scalar,

    /// <summary>Eight (AVX2 with FMA).</summary>
    Vector256,

    /// <summary>Sixteen (AVX-512).</summary>
    Vector512,
}

/// <summary>The tier of this processor.</summary>
internal static class VectorTiers
{
    /// <summary>The widest that it has.</summary>
    public static VectorTier Best { get; } =
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? VectorTier.Vector512
        : Avx2.IsSupported && Fma.IsSupported ? VectorTier.Vector256
        : VectorTier.Scalar;
}

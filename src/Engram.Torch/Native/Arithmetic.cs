using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Torch.Native;

/// <summary>
/// Sums, and operators with a number, for which TorchSharp passes libtorch the address of a <see cref="Scalar"/>. Its own operators (<c>a +
/// b</c> too, which scales b by 1) make one that nothing refers to during the call, so that a garbage collection frees it under the
/// operator. Here something always does.
/// </summary>
internal static class Arithmetic
{
    private static readonly Scalar Zero = 0;
    private static readonly Scalar One = 1;
    private static readonly Scalar NegativeInfinity = double.NegativeInfinity;

    /// <summary>a + b.</summary>
    public static Tensor Plus(this Tensor a, Tensor b) => a.add(b, One);

    /// <summary>a + number.</summary>
    public static Tensor Plus(this Tensor a, double number)
    {
        using Scalar held = number;
        return a.add(held, One);
    }

    /// <summary>a + b, in place of a.</summary>
    public static Tensor Accumulate(this Tensor a, Tensor b) => a.add_(b, One);

    /// <summary>a + b ⊙ c, in place of a.</summary>
    public static Tensor Accumulate(this Tensor a, Tensor b, Tensor c) => a.addcmul_(b, c, One);

    /// <summary>a + 1, in place of a.</summary>
    public static Tensor Increment(this Tensor a) => a.add_(One, One);

    /// <summary>a · number.</summary>
    public static Tensor Times(this Tensor a, double number)
    {
        using Scalar held = number;
        return a.mul(held);
    }

    /// <summary>a².</summary>
    public static Tensor Squared(this Tensor a) => a * a;

    /// <summary>log(1 + exp(a)).</summary>
    public static Tensor Softplus(this Tensor a) => nn.functional.logsigmoid(a.neg()).neg();

    /// <summary>The larger of each element and a number.</summary>
    public static Tensor AtLeast(this Tensor a, double number)
    {
        using Scalar held = number;
        return a.clamp_min(held);
    }

    /// <summary>Where elements are no smaller than a number.</summary>
    public static Tensor IsAtLeast(this Tensor a, long number)
    {
        using Scalar held = number;
        return a.ge(held);
    }

    /// <summary>Every element becomes the number, in place.</summary>
    public static Tensor Fill(this Tensor a, double number)
    {
        using Scalar held = number;
        return a.fill_(held);
    }

    /// <summary>0 where the mask is false.</summary>
    public static Tensor ZeroOutside(this Tensor a, Tensor mask) => a.masked_fill(mask.logical_not(), Zero);

    /// <summary>−∞ where the mask is false.</summary>
    public static Tensor NegativeInfinityOutside(this Tensor a, Tensor mask) => a.masked_fill(mask.logical_not(), NegativeInfinity);

    /// <summary>The one element of a floating-point tensor.</summary>
    public static double Value(this Tensor a)
    {
        using var detached = a.detach();
        using var copy = detached.to(ScalarType.Float64, CPU);
        return copy.item<double>();
    }
}

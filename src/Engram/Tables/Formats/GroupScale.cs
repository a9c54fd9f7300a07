using System.Numerics.Tensors;

namespace Engram.Tables.Formats;

/// <summary>The bfloat16 scale of a group of integers in −L to L.</summary>
internal static unsafe class GroupScale
{
    private const uint LeastNormal = 0x0080;

    /// <summary>
    /// The scale whose multiples a group is rounded to: the least normal bfloat16 not below max |x| / L, so that nothing is clipped; or the
    /// one below it, if the largest value reaches L only then. As the largest code is then L, decoded values are encoded as what they were
    /// decoded from.
    /// </summary>
    /// <param name="source">The group, finite.</param>
    /// <param name="count">Its length, at least 1.</param>
    /// <param name="largestCode">L.</param>
    /// <returns>Bits of the scale; 0 for a group whose codes are all zero.</returns>
    public static ushort Choose(float* source, int count, int largestCode)
    {
        var largest = MathF.Abs(TensorPrimitives.MaxMagnitude(new ReadOnlySpan<float>(source, count)));
        var quotient = BitConverter.SingleToUInt32Bits(largest / largestCode);
        // Above this scale the largest code would stand for infinity.
        var ceiling = BitConverter.SingleToUInt32Bits(float.MaxValue / largestCode) >> 16;
        var scale = Math.Clamp((quotient + 0xFFFF) >> 16, LeastNormal, ceiling);
        var code = Code(largest, scale);
        if (code == 0)
            return 0;
        return (ushort)(code < largestCode && scale > LeastNormal && Code(largest, scale - 1) == largestCode ? scale - 1 : scale);

        static double Code(float value, uint scale) => Math.Round(value / (double)BFloat16Codec.ToSingle((ushort)scale));
    }

    /// <summary>The nearest multiple of a scale, ties to even.</summary>
    /// <param name="value">Finite.</param>
    /// <param name="scale">Positive.</param>
    /// <param name="largestCode">Codes lie between −this and this.</param>
    public static int Code(float value, float scale, int largestCode) =>
        // In double precision, where the quotient of a tie is exact and no other quotient becomes one.
        (int)Math.Clamp(Math.Round(value / (double)scale), -largestCode, largestCode);
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Tables.Formats;

/// <summary>Rows of bfloat16: the upper halves of singles.</summary>
internal readonly unsafe struct BFloat16Codec : IRowCodec
{
    public static int Burst => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        var i = 0;
        if (Avx512F.IsSupported)
            for (; i + 16 <= width; i += 16)
                (Avx512F.ConvertToVector512UInt32(Vector256.Load((ushort*)values + i)) << 16).AsSingle().Store(destination + i);
        if (Avx2.IsSupported)
            for (; i + 8 <= width; i += 8)
                (Avx2.ConvertToVector256Int32(Vector128.Load((ushort*)values + i)) << 16).AsSingle().Store(destination + i);
        for (; i < width; i++)
            destination[i] = ToSingle(((ushort*)values)[i]);
    }

    public static void DecodeScalar(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        for (var i = 0; i < width; i++)
            destination[i] = ToSingle(((ushort*)values)[i]);
    }

    public static void Encode(float* source, int width, int groupSize, byte* values, byte* scales)
    {
        for (var i = 0; i < width; i++)
            ((ushort*)values)[i] = FromSingle(source[i]);
    }

    /// <summary>The value of a stored bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The nearest bfloat16, ties to even; the largest finite one instead of infinity.</summary>
    public static ushort FromSingle(float value)
    {
        const uint largest = 0x7F7F;
        var bits = BitConverter.SingleToUInt32Bits(value);
        var magnitude = bits & 0x7FFFFFFF;
        var rounded = (magnitude + 0x7FFF + (magnitude >> 16 & 1)) >> 16;
        return (ushort)(bits >> 16 & 0x8000 | Math.Min(rounded, largest));
    }
}

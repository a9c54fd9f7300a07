using System.Runtime.CompilerServices;

namespace Engram.Tables.Formats;

/// <summary>Rows of float32: a copy.</summary>
internal readonly unsafe struct Float32Codec : IRowCodec
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode(byte* values, byte* scales, int width, int groupSize, float* destination) =>
        Unsafe.CopyBlockUnaligned(destination, values, (uint)width * sizeof(float));

    public static void DecodeScalar(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        for (var i = 0; i < width; i++)
            destination[i] = Unsafe.ReadUnaligned<float>(values + (nint)i * sizeof(float));
    }

    public static void Encode(float* source, int width, int groupSize, byte* values, byte* scales) =>
        Unsafe.CopyBlockUnaligned(values, source, (uint)width * sizeof(float));
}

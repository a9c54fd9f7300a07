using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Engram.Tables.Formats;

/// <summary>Rows of float32: a copy. Its own loop, because a call of the general one costs as much as a row of 256 bytes.</summary>
internal readonly unsafe struct Float32Codec : IRowCodec
{
    public static int Burst => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode(byte* values, byte* scales, int width, int groupSize, float* destination) =>
        Copy((float*)values, destination, width);

    public static void DecodeScalar(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        for (var i = 0; i < width; i++)
            destination[i] = ((float*)values)[i];
    }

    public static void Encode(float* source, int width, int groupSize, byte* values, byte* scales) => Copy(source, (float*)values, width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(float* source, float* destination, int width)
    {
        var i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            // Rows of 64 values, the usual width, in one turn.
            for (; i <= width - 4 * Vector512<float>.Count; i += 4 * Vector512<float>.Count)
            {
                Vector512.Store(Vector512.Load(source + i), destination + i);
                Vector512.Store(Vector512.Load(source + i + Vector512<float>.Count), destination + i + Vector512<float>.Count);
                Vector512.Store(Vector512.Load(source + i + 2 * Vector512<float>.Count), destination + i + 2 * Vector512<float>.Count);
                Vector512.Store(Vector512.Load(source + i + 3 * Vector512<float>.Count), destination + i + 3 * Vector512<float>.Count);
            }
            for (; i <= width - Vector512<float>.Count; i += Vector512<float>.Count)
                Vector512.Store(Vector512.Load(source + i), destination + i);
        }
        if (Vector256.IsHardwareAccelerated)
            for (; i <= width - Vector256<float>.Count; i += Vector256<float>.Count)
                Vector256.Store(Vector256.Load(source + i), destination + i);
        for (; i < width; i++)
            destination[i] = source[i];
    }
}

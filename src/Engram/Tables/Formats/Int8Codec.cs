using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Tables.Formats;

/// <summary>Rows of signed bytes −127 to 127 with a bfloat16 scale per group.</summary>
internal readonly unsafe struct Int8Codec : IRowCodec
{
    public static int Burst => 64;

    private const int LargestCode = 127;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        if (groupSize >= width)
        {
            DecodeGroup((sbyte*)values, width, BFloat16Codec.ToSingle(*(ushort*)scales), destination);
            return;
        }
        for (var (start, group) = (0, 0); start < width; start += groupSize, group++)
            DecodeGroup(
                (sbyte*)values + start,
                Math.Min(groupSize, width - start),
                BFloat16Codec.ToSingle(((ushort*)scales)[group]),
                destination + start
            );
    }

    public static void DecodeScalar(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        for (var i = 0; i < width; i++)
            destination[i] = ((sbyte*)values)[i] * BFloat16Codec.ToSingle(((ushort*)scales)[i / groupSize]);
    }

    public static void Encode(float* source, int width, int groupSize, byte* values, byte* scales)
    {
        for (int start = 0, group = 0; start < width; group++)
        {
            var count = Math.Min(groupSize, width - start);
            var bits = GroupScale.Choose(source + start, count, LargestCode);
            ((ushort*)scales)[group] = bits;
            var scale = BFloat16Codec.ToSingle(bits);
            for (var end = start + count; start < end; start++)
                ((sbyte*)values)[start] = (sbyte)(bits == 0 ? 0 : GroupScale.Code(source[start], scale, LargestCode));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeGroup(sbyte* codes, int count, float scale, float* destination)
    {
        var i = 0;
        if (Avx512F.IsSupported)
            for (; i + 16 <= count; i += 16)
                (Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Vector128.Load(codes + i))) * scale).Store(
                    destination + i
                );
        if (Avx2.IsSupported)
            for (; i + 8 <= count; i += 8)
                (Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(codes + i)) * scale).Store(destination + i);
        for (; i < count; i++)
            destination[i] = codes[i] * scale;
    }
}

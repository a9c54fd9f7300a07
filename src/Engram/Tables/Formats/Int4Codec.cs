using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Tables.Formats;

/// <summary>
/// Rows of half bytes with a bfloat16 scale per group: codes 0 to 15 stand for −8 to 7, the low half of a byte is the first of two values.
/// </summary>
internal readonly unsafe struct Int4Codec : IRowCodec
{
    public static int Burst => 64;

    private const int LargestCode = 7;
    private const int Zero = 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        if (groupSize >= width)
        {
            DecodeGroup(values, width, BFloat16Codec.ToSingle(*(ushort*)scales), destination);
            return;
        }
        // Groups of an odd length begin within a byte.
        if (groupSize % 2 != 0)
        {
            DecodeScalar(values, scales, width, groupSize, destination);
            return;
        }
        for (var (start, group) = (0, 0); start < width; start += groupSize, group++)
            DecodeGroup(
                values + start / 2,
                Math.Min(groupSize, width - start),
                BFloat16Codec.ToSingle(((ushort*)scales)[group]),
                destination + start
            );
    }

    public static void DecodeScalar(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        for (var i = 0; i < width; i++)
            destination[i] = Signed(values, i) * BFloat16Codec.ToSingle(((ushort*)scales)[i / groupSize]);
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
            {
                var code = Zero + (bits == 0 ? 0 : GroupScale.Code(source[start], scale, LargestCode));
                values[start / 2] = (byte)(start % 2 == 0 ? code : values[start / 2] | code << 4);
            }
        }
    }

    /// <summary>A group that begins with a byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeGroup(byte* values, int count, float scale, float* destination)
    {
        var i = 0;
        if (Avx2.IsSupported)
        {
            for (; i + 32 <= count; i += 32)
            {
                var (first, second) = Separate(Vector128.Load(values + i / 2));
                if (Avx512F.IsSupported)
                {
                    (Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(first)) * scale).Store(destination + i);
                    (Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(second)) * scale).Store(destination + i + 16);
                }
                else
                {
                    Store16(first, scale, destination + i);
                    Store16(second, scale, destination + i + 16);
                }
            }
            for (; i + 16 <= count; i += 16)
                Store16(Separate(Vector128.CreateScalarUnsafe(*(ulong*)(values + i / 2)).AsByte()).First, scale, destination + i);
        }
        for (; i < count; i++)
            destination[i] = Signed(values, i) * scale;
    }

    private static int Signed(byte* values, int i) => (values[i / 2] >> i % 2 * 4 & 15) - Zero;

    /// <summary>32 half bytes as 32 signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<sbyte> First, Vector128<sbyte> Second) Separate(Vector128<byte> pairs)
    {
        var low = pairs & Vector128.Create((byte)15);
        var high = (pairs.AsUInt16() >> 4).AsByte() & Vector128.Create((byte)15);
        var zero = Vector128.Create((byte)Zero);
        return ((Sse2.UnpackLow(low, high) - zero).AsSByte(), (Sse2.UnpackHigh(low, high) - zero).AsSByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store16(Vector128<sbyte> codes, float scale, float* destination)
    {
        (Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(codes)) * scale).Store(destination);
        (Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(Sse2.ShiftRightLogical128BitLane(codes, 8))) * scale).Store(
            destination + 8
        );
    }
}

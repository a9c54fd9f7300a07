using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Tables.Formats;

/// <summary>
/// Rows of E4M3 in its finite form (sign, 4 exponent bits with bias 7, 3 mantissa bits; 0x7F and 0xFF are no number, no infinities, largest
/// 448) with an E8M0 scale per group,
/// a byte x for 2^(x − 127), 255 for no number. The product is exact in float32 (where it does not overflow) whatever computes it.
/// </summary>
internal readonly unsafe struct Float8Codec : IRowCodec
{
    public static int Burst => 64;

    // A byte has at most 4 significant bits, so its value is a bfloat16: the upper half of a single, found in tables and never by
    // arithmetic on denormal numbers, which some processors do slowly.
    private static readonly float[] Values = [.. Enumerable.Range(0, 256).Select(code => BFloat16Codec.ToSingle(UpperHalf((byte)code)))];

    // Bytes of the upper halves of the 128 codes without sign, for a look-up by two registers each.
    private static readonly Vector512<byte> LowBytesBelow64 = Table64(0, 0);
    private static readonly Vector512<byte> LowBytesFrom64 = Table64(64, 0);
    private static readonly Vector512<byte> HighBytesBelow64 = Table64(0, 8);
    private static readonly Vector512<byte> HighBytesFrom64 = Table64(64, 8);

    // Bytes of the upper halves of codes 0 to 15: those without exponent, and with the least one.
    private static readonly Vector256<byte> LowBytesOfSmall = LowBytesBelow64.GetLower().WithUpper(LowBytesBelow64.GetLower().GetLower());
    private static readonly Vector256<byte> HighBytesOfSmall = HighBytesBelow64
        .GetLower()
        .WithUpper(HighBytesBelow64.GetLower().GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Decode(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        if (groupSize >= width)
        {
            DecodeGroup(values, width, Scale(*scales), destination);
            return;
        }
        var (start, group) = (0, 0);
        if (Avx512Vbmi.IsSupported && groupSize == 32)
            for (; start + 64 <= width; start += 64, group += 2)
                Decode64(Vector512.Load(values + start), Scale(scales[group]), Scale(scales[group + 1]), destination + start);
        for (; start < width; start += groupSize, group++)
            DecodeGroup(values + start, Math.Min(groupSize, width - start), Scale(scales[group]), destination + start);
    }

    public static void DecodeScalar(byte* values, byte* scales, int width, int groupSize, float* destination)
    {
        for (var i = 0; i < width; i++)
            destination[i] = Values[values[i]] * Scale(scales[i / groupSize]);
    }

    public static void Encode(float* source, int width, int groupSize, byte* values, byte* scales)
    {
        for (int start = 0, group = 0; start < width; group++)
        {
            var count = Math.Min(groupSize, width - start);
            var scale = ChooseScale(MathF.Abs(TensorPrimitives.MaxMagnitude(new ReadOnlySpan<float>(source + start, count))));
            scales[group] = scale;
            var factor = BitConverter.UInt32BitsToSingle((uint)(254 - scale) << 23); // 2^(127 − scale)
            // With the scale of the largest singles, 256 and more would stand for infinity.
            var largest = scale == 247 ? 0x77 : 0x7E;
            for (var end = start + count; start < end; start++)
                values[start] = Code(source[start] * factor, largest);
        }
    }

    /// <summary>The value of a scale byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Scale(byte exponent) =>
        exponent switch
        {
            0 => BitConverter.UInt32BitsToSingle(0x00400000),
            255 => float.NaN,
            _ => BitConverter.UInt32BitsToSingle((uint)exponent << 23),
        };

    /// <summary>Byte of the least power of two x with largest ≤ 448·2^x; 127, that is 1, for a group of zeros.</summary>
    private static byte ChooseScale(float largest)
    {
        // 448 = 1.75·2^8: the addition carries into the exponent for mantissas above 1.75.
        var exponent = (int)((BitConverter.SingleToUInt32Bits(largest) + 0x1FFFFF) >> 23) - 8;
        return largest == 0 ? (byte)127 : (byte)Math.Max(0, exponent);
    }

    /// <summary>The nearest E4M3, ties to even, not above a code.</summary>
    private static byte Code(float value, int largest)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        var magnitude = bits & 0x7FFFFFFF;
        uint code;
        if (magnitude < 121u << 23)
            // Below 2^-6 codes count steps of 2^-9, and so do the last bits of numbers from 2^14 on.
            code = BitConverter.SingleToUInt32Bits(MathF.Abs(value) + 16384f) & 0xF;
        else
            code = ((magnitude + 0x7FFFF + (magnitude >> 20 & 1)) >> 20) - (120 << 3);
        return (byte)(bits >> 24 & 0x80 | Math.Min(code, (uint)largest));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeGroup(byte* codes, int count, float scale, float* destination)
    {
        var i = 0;
        if (Avx512Vbmi.IsSupported)
            for (; i + 64 <= count; i += 64)
                Decode64(Vector512.Load(codes + i), scale, scale, destination + i);
        if (Avx2.IsSupported)
        {
            for (; i + 32 <= count; i += 32)
                Decode32(Vector256.Load(codes + i), scale, destination + i, 32);
            if (i + 16 <= count)
            {
                Decode32(Vector256.CreateScalarUnsafe(0ul).AsByte().WithLower(Vector128.Load(codes + i)), scale, destination + i, 16);
                i += 16;
            }
            if (i + 8 <= count)
            {
                Decode32(Vector256.CreateScalarUnsafe(*(ulong*)(codes + i)).AsByte(), scale, destination + i, 8);
                i += 8;
            }
        }
        for (; i < count; i++)
            destination[i] = Values[codes[i]] * scale;
    }

    /// <summary>Decodes 64 codes: 32 of one scale, 32 of another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Decode64(Vector512<byte> codes, float first, float second, float* destination)
    {
        // Interleaving works within quarters of a register: quarter q receives, for each of the four results, the four codes that belong
        // into its quarter q.
        var spread = Avx512F
            .PermuteVar16x32(codes.AsInt32(), Vector512.Create(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15))
            .AsByte();
        var low = Avx512Vbmi.PermuteVar64x8x2(LowBytesBelow64, spread, LowBytesFrom64);
        var high = Avx512Vbmi.PermuteVar64x8x2(HighBytesBelow64, spread, HighBytesFrom64) | spread & Vector512.Create((byte)0x80);
        var (front, back) = (Avx512BW.UnpackLow(low, high).AsUInt16(), Avx512BW.UnpackHigh(low, high).AsUInt16());
        var zero = Vector512<ushort>.Zero;
        (Avx512BW.UnpackLow(zero, front).AsSingle() * first).Store(destination);
        (Avx512BW.UnpackHigh(zero, front).AsSingle() * first).Store(destination + 16);
        (Avx512BW.UnpackLow(zero, back).AsSingle() * second).Store(destination + 32);
        (Avx512BW.UnpackHigh(zero, back).AsSingle() * second).Store(destination + 48);
    }

    /// <summary>Decodes 32 codes and stores the first 8, 16 or 32 values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Decode32(Vector256<byte> codes, float scale, float* destination, int stored)
    {
        // As above, in halves of a register.
        var spread = Avx2.PermuteVar8x32(codes.AsInt32(), Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7)).AsByte();
        // Code s eeee mmm → upper half s (eeee + 120) mmm 0000: its high byte is s and 60 plus the upper three exponent bits, its low byte
        // the lower half of the code moved up. Codes with none of those three bits are looked up.
        var lower = spread & Vector256.Create((byte)0x0F);
        var upper = (spread.AsUInt16() >> 4).AsByte() & Vector256.Create((byte)0x07);
        var small = Vector256.Equals(upper, Vector256<byte>.Zero);
        var low = Avx2.BlendVariable((lower.AsUInt16() << 4).AsByte(), Avx2.Shuffle(LowBytesOfSmall, lower), small);
        var high = Avx2.BlendVariable(upper + Vector256.Create((byte)60), Avx2.Shuffle(HighBytesOfSmall, lower), small);
        var noNumber = Vector256.Equals(spread & Vector256.Create((byte)0x7F), Vector256.Create((byte)0x7F));
        high |= spread & Vector256.Create((byte)0x80) | noNumber & Vector256.Create((byte)0x7F);
        var front = Avx2.UnpackLow(low, high).AsUInt16();
        var zero = Vector256<ushort>.Zero;
        (Avx2.UnpackLow(zero, front).AsSingle() * scale).Store(destination);
        if (stored == 8)
            return;
        (Avx2.UnpackHigh(zero, front).AsSingle() * scale).Store(destination + 8);
        if (stored == 16)
            return;
        var back = Avx2.UnpackHigh(low, high).AsUInt16();
        (Avx2.UnpackLow(zero, back).AsSingle() * scale).Store(destination + 16);
        (Avx2.UnpackHigh(zero, back).AsSingle() * scale).Store(destination + 24);
    }

    /// <summary>Upper 16 bits of the single that a code stands for.</summary>
    private static ushort UpperHalf(byte code)
    {
        var sign = (code & 0x80) << 8;
        var magnitude = code & 0x7F;
        if (magnitude == 0x7F)
            return (ushort)(sign | 0x7FF0);
        if (magnitude >= 8)
            return (ushort)(sign | magnitude + (120 << 3) << 4);
        return (ushort)(sign | (int)(BitConverter.SingleToUInt32Bits(magnitude / 512f) >> 16));
    }

    private static Vector512<byte> Table64(int first, int shift) =>
        Vector512.Create([.. Enumerable.Range(first, 64).Select(code => (byte)(UpperHalf((byte)code) >> shift))]);
}

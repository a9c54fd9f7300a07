using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Engram.Inference.Kernels;

/// <summary>A few float32 values that are computed with together: the register of one vector tier.</summary>
internal unsafe interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    /// <summary>Values in a register; divides 16.</summary>
    static abstract int Count { get; }

    /// <summary>Reads float32 values from any address.</summary>
    static abstract TSelf Load(float* source);

    /// <summary>Reads bfloat16 values from any address.</summary>
    static abstract TSelf Load(ushort* source);

    /// <summary>A bfloat16 scale, as <see cref="Load(sbyte*, TSelf)"/> takes it.</summary>
    static abstract TSelf ByteScale(ushort* scale);

    /// <summary>Reads signed bytes from any address, times a scale.</summary>
    static abstract TSelf Load(sbyte* source, TSelf scale);

    /// <summary>A bfloat16 scale, as <see cref="Load(byte*, int, TSelf)"/> takes it.</summary>
    static abstract TSelf NibbleScale(ushort* scale);

    /// <summary>Reads half bytes, codes 0 to 15 for −8 to 7 and the first of two values in the low half, times a scale.</summary>
    /// <param name="row">The byte that holds value 0.</param>
    /// <param name="index">First value that is read; even in registers of several values.</param>
    /// <param name="scale">Of all values that are read.</param>
    static abstract TSelf Load(byte* row, int index, TSelf scale);

    /// <summary>The same value everywhere.</summary>
    static abstract TSelf Fill(float value);

    /// <summary>The last values, zeros in place of the others.</summary>
    static abstract TSelf KeepLast(TSelf values, int count);

    /// <summary>a·b + c, rounded once.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>Writes the values to any address.</summary>
    static abstract void Store(TSelf values, float* target);

    /// <summary>
    /// The sum of the values: halves are added to each other until one value is left, but the last four as (0 + 1) + (2 + 3).
    /// </summary>
    static abstract float Sum(TSelf values);

    /// <summary>Eight sums, with the bits of <see cref="Sum(TSelf)"/>.</summary>
    static abstract void Sum(TSelf s0, TSelf s1, TSelf s2, TSelf s3, TSelf s4, TSelf s5, TSelf s6, TSelf s7, float* target);
}

/// <summary>One value: the tier of processors without vectors, and the twin of the others.</summary>
internal readonly unsafe struct ScalarLanes(float value) : ILanes<ScalarLanes>
{
    private readonly float _value = value;

    public static int Count => 1;

    public static ScalarLanes Load(float* source) => new(*source);

    public static ScalarLanes Load(ushort* source) => new(Half(source));

    public static ScalarLanes ByteScale(ushort* scale) => new(Half(scale));

    public static ScalarLanes Load(sbyte* source, ScalarLanes scale) => new(*source * scale._value);

    public static ScalarLanes NibbleScale(ushort* scale) => new(Half(scale));

    public static ScalarLanes Load(byte* row, int index, ScalarLanes scale) =>
        new(((row[index / 2] >> index % 2 * 4 & 15) - 8) * scale._value);

    public static ScalarLanes Fill(float value) => new(value);

    public static ScalarLanes KeepLast(ScalarLanes values, int count) => count > 0 ? values : default;

    public static ScalarLanes MultiplyAdd(ScalarLanes a, ScalarLanes b, ScalarLanes c) =>
        new(MathF.FusedMultiplyAdd(a._value, b._value, c._value));

    public static void Store(ScalarLanes values, float* target) => *target = values._value;

    public static float Sum(ScalarLanes values) => values._value;

    public static void Sum(
        ScalarLanes s0,
        ScalarLanes s1,
        ScalarLanes s2,
        ScalarLanes s3,
        ScalarLanes s4,
        ScalarLanes s5,
        ScalarLanes s6,
        ScalarLanes s7,
        float* target
    )
    {
        (target[0], target[1], target[2], target[3]) = (s0._value, s1._value, s2._value, s3._value);
        (target[4], target[5], target[6], target[7]) = (s4._value, s5._value, s6._value, s7._value);
    }

    /// <summary>A bfloat16 value.</summary>
    public static float Half(ushort* source) => BitConverter.UInt32BitsToSingle((uint)*source << 16);
}

/// <summary>Eight values.</summary>
internal readonly unsafe struct Lanes256(Vector256<float> values) : ILanes<Lanes256>
{
    private readonly Vector256<float> _values = values;

    public static int Count => Vector256<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(ushort* source) => new((Avx2.ConvertToVector256Int32(source) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ByteScale(ushort* scale) => new(Vector256.Create(ScalarLanes.Half(scale)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(sbyte* source, Lanes256 scale) =>
        new(Avx.ConvertToVector256Single(Avx2.ConvertToVector256Int32(source)) * scale._values);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 NibbleScale(ushort* scale) => ByteScale(scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(byte* row, int index, Lanes256 scale)
    {
        var codes =
            Avx2.ShiftRightLogicalVariable(Vector256.Create(*(uint*)(row + index / 2)), Vector256.Create(0u, 4, 8, 12, 16, 20, 24, 28))
            & Vector256.Create(15u);
        return new(Avx.ConvertToVector256Single(codes.AsInt32() - Vector256.Create(8)) * scale._values);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Fill(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 KeepLast(Lanes256 values, int count) =>
        new(
            values._values
                & Vector256.GreaterThanOrEqual(Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7), Vector256.Create(Count - count)).AsSingle()
        );

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.FusedMultiplyAdd(a._values, b._values, c._values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 values, float* target) => values._values.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes256 values)
    {
        var four = values._values.GetLower() + values._values.GetUpper();
        var two = Sse3.HorizontalAdd(four, four);
        return Sse3.HorizontalAdd(two, two).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum(
        Lanes256 s0,
        Lanes256 s1,
        Lanes256 s2,
        Lanes256 s3,
        Lanes256 s4,
        Lanes256 s5,
        Lanes256 s6,
        Lanes256 s7,
        float* target
    ) => EightSums(s0._values, s1._values, s2._values, s3._values, s4._values, s5._values, s6._values, s7._values).Store(target);

    /// <summary>Row i and row i + 4 share a register from the first step on; horizontal additions put four rows side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> EightSums(
        Vector256<float> s0,
        Vector256<float> s1,
        Vector256<float> s2,
        Vector256<float> s3,
        Vector256<float> s4,
        Vector256<float> s5,
        Vector256<float> s6,
        Vector256<float> s7
    )
    {
        var first = Avx.HorizontalAdd(Fold(s0, s4), Fold(s1, s5));
        var second = Avx.HorizontalAdd(Fold(s2, s6), Fold(s3, s7));
        return Avx.HorizontalAdd(first, second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Fold(Vector256<float> a, Vector256<float> b) =>
        Avx.Permute2x128(a, b, 0x20) + Avx.Permute2x128(a, b, 0x31);
}

/// <summary>Sixteen values.</summary>
internal readonly unsafe struct Lanes512(Vector512<float> values) : ILanes<Lanes512>
{
    private readonly Vector512<float> _values = values;

    public static int Count => Vector512<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(ushort* source) => new((Avx512F.ConvertToVector512Int32(Vector256.Load(source)) << 16).AsSingle());

    /// <summary>Two bfloat16 side by side, the lower one cleared, are the float32 value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ByteScale(ushort* scale) =>
        new((Vector512.Create(*scale).AsUInt32() & Vector512.Create(0xFFFF0000u)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(sbyte* source, Lanes512 scale) =>
        new(Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Vector128.Load(source))) * scale._values);

    /// <summary>The sixteen values that half a byte may stand for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 NibbleScale(ushort* scale) =>
        new(Vector512.Create(-8f, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7) * ByteScale(scale)._values);

    /// <summary>Half bytes choose among the sixteen values of the scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(byte* row, int index, Lanes512 scale)
    {
        var source = *(ulong*)(row + index / 2);
        return new(Avx512F.PermuteVar16x32(scale._values, (Avx512Vbmi.IsSupported ? CodesAtOnce(source) : Codes(source)).AsInt32()));
    }

    /// <summary>Each lane gets its half byte into its lowest four bits; those above hold anything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<uint> Codes(ulong source)
    {
        var words = Avx512F.PermuteVar16x32(
            Vector512.Create(source).AsUInt32(),
            Vector512.Create(0u, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
        );
        return Avx512F.ShiftRightLogicalVariable(words, Vector512.Create(0u, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28));
    }

    /// <summary>The same by one instruction: the eight bits from four times the lane on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<uint> CodesAtOnce(ulong source) =>
        Avx512Vbmi
            .MultiShift(Vector512.Create(0u, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60).AsByte(), Vector512.Create(source))
            .AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Fill(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 KeepLast(Lanes512 values, int count) =>
        new(
            values._values
                & Vector512
                    .GreaterThanOrEqual(
                        Vector512.Create(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                        Vector512.Create(Count - count)
                    )
                    .AsSingle()
        );

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) =>
        new(Vector512.FusedMultiplyAdd(a._values, b._values, c._values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 values, float* target) => values._values.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 values) => Lanes256.Sum(new Lanes256(Fold(values)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sum(
        Lanes512 s0,
        Lanes512 s1,
        Lanes512 s2,
        Lanes512 s3,
        Lanes512 s4,
        Lanes512 s5,
        Lanes512 s6,
        Lanes512 s7,
        float* target
    ) => Lanes256.EightSums(Fold(s0), Fold(s1), Fold(s2), Fold(s3), Fold(s4), Fold(s5), Fold(s6), Fold(s7)).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Fold(Lanes512 values) => values._values.GetLower() + values._values.GetUpper();
}

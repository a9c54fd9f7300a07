using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Engram.Inference.Kernels;

/// <summary>A few float32 values that are computed with together: the register of one vector tier.</summary>
internal unsafe interface ILanes<TSelf> where TSelf : struct, ILanes<TSelf>
{
    /// <summary>Values in a register.</summary>
    static abstract int Count { get; }

    /// <summary>Reads float32 values from any address.</summary>
    static abstract TSelf Load(float* source);

    /// <summary>Reads bfloat16 values from any address.</summary>
    static abstract TSelf Load(ushort* source);

    /// <summary>The same value everywhere.</summary>
    static abstract TSelf Fill(float value);

    /// <summary>a·b + c, rounded once.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>Writes the values to any address.</summary>
    static abstract void Store(TSelf values, float* target);

    /// <summary>The sum of the values.</summary>
    static abstract float Sum(TSelf values);
}

/// <summary>One value: the tier of processors without vectors, and the twin of the others.</summary>
internal readonly unsafe struct ScalarLanes(float value) : ILanes<ScalarLanes>
{
    private readonly float _value = value;

    public static int Count => 1;

    public static ScalarLanes Load(float* source) => new(*source);

    public static ScalarLanes Load(ushort* source) => new(BitConverter.UInt32BitsToSingle((uint)*source << 16));

    public static ScalarLanes Fill(float value) => new(value);

    public static ScalarLanes MultiplyAdd(ScalarLanes a, ScalarLanes b, ScalarLanes c) => new(MathF.FusedMultiplyAdd(a._value, b._value, c._value));

    public static void Store(ScalarLanes values, float* target) => *target = values._value;

    public static float Sum(ScalarLanes values) => values._value;
}

/// <summary>Eight values.</summary>
internal readonly unsafe struct Lanes256(Vector256<float> values) : ILanes<Lanes256>
{
    private readonly Vector256<float> _values = values;

    public static int Count => Vector256<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(ushort* source) => new((Vector256.WidenLower(Vector128.Load(source).ToVector256Unsafe()) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Fill(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) => new(Vector256.FusedMultiplyAdd(a._values, b._values, c._values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 values, float* target) => values._values.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes256 values) => Vector256.Sum(values._values);
}

/// <summary>Sixteen values.</summary>
internal readonly unsafe struct Lanes512(Vector512<float> values) : ILanes<Lanes512>
{
    private readonly Vector512<float> _values = values;

    public static int Count => Vector512<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(ushort* source) => new((Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe()) << 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Fill(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a._values, b._values, c._values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 values, float* target) => values._values.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 values) => Vector512.Sum(values._values);
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Engram.Training.Optimizers;

/// <summary>
/// Arithmetic on as many numbers at once as a vector has lanes. A product and a sum are rounded once everywhere, so a lane's result does
/// not depend on the width.
/// </summary>
/// <typeparam name="V">The vector.</typeparam>
internal unsafe interface ILanes<V>
    where V : struct
{
    /// <summary>Lanes of a vector.</summary>
    static abstract int Count { get; }

    /// <summary>Reads a vector.</summary>
    static abstract V Load(float* from);

    /// <summary>Writes a vector.</summary>
    static abstract void Store(V value, float* to);

    /// <summary>The same number in every lane.</summary>
    static abstract V All(float value);

    /// <summary>a ⊙ b + c.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);
}

/// <summary>512-bit vectors.</summary>
internal readonly unsafe struct SixteenLanes : ILanes<Vector512<float>>
{
    public static int Count => Vector512<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* from) => Vector512.Load(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* to) => value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> All(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.FusedMultiplyAdd(a, b, c);
}

/// <summary>256-bit vectors.</summary>
internal readonly unsafe struct EightLanes : ILanes<Vector256<float>>
{
    public static int Count => Vector256<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* from) => Vector256.Load(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* to) => value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> All(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.FusedMultiplyAdd(a, b, c);
}

/// <summary>One number at a time: the scalar twin.</summary>
internal readonly unsafe struct OneLane : ILanes<float>
{
    public static int Count => 1;

    public static float Load(float* from) => *from;

    public static void Store(float value, float* to) => *to = value;

    public static float All(float value) => value;

    public static float MultiplyAdd(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);
}

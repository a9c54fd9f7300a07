using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Engram.Tables.Training;

/// <summary>
/// One Adam update of a few values with fixed factors. Each value sees the same correctly rounded operations in the same order, in vectors
/// and alone, so both forms give the same bits; nothing is fused.
/// </summary>
internal readonly record struct AdamKernel
{
    public required float Beta1 { get; init; }
    public required float OneMinusBeta1 { get; init; }
    public required float Beta2 { get; init; }
    public required float OneMinusBeta2 { get; init; }
    public required float Epsilon { get; init; }

    /// <summary>Factor on the gradient.</summary>
    public required float GradientScale { get; init; }

    /// <summary>Learning rate / (1 − β₁ᵗ).</summary>
    public required float StepSize { get; init; }

    /// <summary>1 / √(1 − β₂ᵗ).</summary>
    public required float RootCorrection { get; init; }

    /// <summary>Updates equally long spans of values, means and mean squares in place.</summary>
    public void Update(Span<float> values, Span<float> means, Span<float> squares, ReadOnlySpan<float> gradients)
    {
        ref var w = ref MemoryMarshal.GetReference(values);
        ref var m = ref MemoryMarshal.GetReference(means);
        ref var v = ref MemoryMarshal.GetReference(squares);
        ref var g = ref MemoryMarshal.GetReference(gradients);
        nuint i = 0,
            n = (nuint)values.Length,
            step = (nuint)Vector<float>.Count;
        if (Vector.IsHardwareAccelerated)
            for (; i + step <= n; i += step)
            {
                var gradient = Vector.LoadUnsafe(ref g, i) * GradientScale;
                var mean = Vector.LoadUnsafe(ref m, i) * Beta1 + gradient * OneMinusBeta1;
                var square = Vector.LoadUnsafe(ref v, i) * Beta2 + gradient * gradient * OneMinusBeta2;
                mean.StoreUnsafe(ref m, i);
                square.StoreUnsafe(ref v, i);
                var root = Vector.SquareRoot(square) * RootCorrection + new Vector<float>(Epsilon);
                (Vector.LoadUnsafe(ref w, i) - mean / root * StepSize).StoreUnsafe(ref w, i);
            }
        for (; i < n; i++)
            Update(ref Unsafe.Add(ref w, i), ref Unsafe.Add(ref m, i), ref Unsafe.Add(ref v, i), Unsafe.Add(ref g, i));
    }

    /// <summary>Updates one value.</summary>
    public void Update(ref float value, ref float mean, ref float square, float gradient)
    {
        gradient *= GradientScale;
        mean = mean * Beta1 + gradient * OneMinusBeta1;
        square = square * Beta2 + gradient * gradient * OneMinusBeta2;
        var root = MathF.Sqrt(square) * RootCorrection + Epsilon;
        value -= mean / root * StepSize;
    }
}

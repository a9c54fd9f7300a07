using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Engram.Tables.Training;

/// <summary>
/// Loops over the values of a row, in vectors or one value after the other. Both forms, and vectors of every width, give the same bits:
/// element-wise products are rounded one by one, nothing is fused, and a sum over a row runs in <see cref="Lanes"/> sums that are added as
/// a tree.
/// </summary>
internal static class RowArithmetic
{
    private const int Lanes = 16;

    /// <summary>x = a·z + b·g; x = a·z for an empty g.</summary>
    public static void Combine(ReadOnlySpan<float> z, float a, ReadOnlySpan<float> g, float b, Span<float> x, bool vectors)
    {
        nuint i = 0,
            n = (nuint)x.Length,
            step = (nuint)Vector<float>.Count;
        ref var to = ref MemoryMarshal.GetReference(x);
        ref var first = ref MemoryMarshal.GetReference(z);
        ref var second = ref MemoryMarshal.GetReference(g);
        if (g.IsEmpty)
        {
            if (vectors && Vector.IsHardwareAccelerated)
                for (; i + step <= n; i += step)
                    (Vector.LoadUnsafe(ref first, i) * a).StoreUnsafe(ref to, i);
            for (; i < n; i++)
                Unsafe.Add(ref to, i) = Unsafe.Add(ref first, i) * a;
            return;
        }
        if (vectors && Vector.IsHardwareAccelerated)
            for (; i + step <= n; i += step)
                (Vector.LoadUnsafe(ref first, i) * a + Vector.LoadUnsafe(ref second, i) * b).StoreUnsafe(ref to, i);
        for (; i < n; i++)
        {
            // Two statements: the product must be rounded before it is added.
            var product = Unsafe.Add(ref second, i) * b;
            Unsafe.Add(ref to, i) = Unsafe.Add(ref first, i) * a + product;
        }
    }

    /// <summary>x = x ∘ c.</summary>
    public static void Multiply(Span<float> x, ReadOnlySpan<float> c, bool vectors)
    {
        nuint i = 0,
            n = (nuint)x.Length,
            step = (nuint)Vector<float>.Count;
        ref var to = ref MemoryMarshal.GetReference(x);
        ref var factor = ref MemoryMarshal.GetReference(c);
        if (vectors && Vector.IsHardwareAccelerated)
            for (; i + step <= n; i += step)
                (Vector.LoadUnsafe(ref to, i) * Vector.LoadUnsafe(ref factor, i)).StoreUnsafe(ref to, i);
        for (; i < n; i++)
            Unsafe.Add(ref to, i) *= Unsafe.Add(ref factor, i);
    }

    /// <summary>w = w − x·factor.</summary>
    public static void Subtract(Span<float> w, ReadOnlySpan<float> x, float factor, bool vectors)
    {
        nuint i = 0,
            n = (nuint)w.Length,
            step = (nuint)Vector<float>.Count;
        ref var to = ref MemoryMarshal.GetReference(w);
        ref var from = ref MemoryMarshal.GetReference(x);
        if (vectors && Vector.IsHardwareAccelerated)
            for (; i + step <= n; i += step)
                (Vector.LoadUnsafe(ref to, i) - Vector.LoadUnsafe(ref from, i) * factor).StoreUnsafe(ref to, i);
        for (; i < n; i++)
        {
            var product = Unsafe.Add(ref from, i) * factor;
            Unsafe.Add(ref to, i) -= product;
        }
    }

    /// <summary>s = s + (r·x)², value by value.</summary>
    public static void AddSquares(Span<float> sums, ReadOnlySpan<float> x, float r, bool vectors)
    {
        nuint i = 0,
            n = (nuint)sums.Length,
            step = (nuint)Vector<float>.Count;
        ref var to = ref MemoryMarshal.GetReference(sums);
        ref var from = ref MemoryMarshal.GetReference(x);
        if (vectors && Vector.IsHardwareAccelerated)
            for (; i + step <= n; i += step)
            {
                var value = Vector.LoadUnsafe(ref from, i) * r;
                (Vector.LoadUnsafe(ref to, i) + value * value).StoreUnsafe(ref to, i);
            }
        for (; i < n; i++)
        {
            var value = Unsafe.Add(ref from, i) * r;
            value *= value;
            Unsafe.Add(ref to, i) += value;
        }
    }

    /// <summary>Σ (x·scale)².</summary>
    public static float SumOfSquares(ReadOnlySpan<float> x, float scale, bool vectors)
    {
        Span<float> lanes = stackalloc float[Lanes];
        lanes.Clear();
        var (whole, step) = (x.Length - x.Length % Lanes, Vector<float>.Count);
        if (vectors && Vector.IsHardwareAccelerated && Lanes % step == 0)
        {
            ref var from = ref MemoryMarshal.GetReference(x);
            for (var lane = 0; lane < Lanes; lane += step)
            {
                var sum = Vector<float>.Zero;
                for (var i = lane; i < whole; i += Lanes)
                {
                    var value = Vector.LoadUnsafe(ref from, (nuint)i) * scale;
                    sum += value * value;
                }
                sum.CopyTo(lanes[lane..]);
            }
        }
        else
            AddToLanes(x[..whole], scale, lanes);
        AddToLanes(x[whole..], scale, lanes);
        for (var half = Lanes / 2; half > 0; half /= 2)
        for (var i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
        return lanes[0];
    }

    /// <summary>
    /// Σ x² in float64, where the squares of float32 numbers are exact: 16 sums, of the values with equal number modulo 16, over pieces
    /// that the processor's first cache holds, added as a tree.
    /// </summary>
    /// <param name="x">Any number of values.</param>
    /// <param name="vectors">False for the twin, one value after the other: the same bits.</param>
    public static double SumOfSquaresInDouble(ReadOnlySpan<float> x, bool vectors = true)
    {
        const int piece = 4096;
        Span<double> lanes = stackalloc double[Lanes];
        lanes.Clear();
        for (; x.Length > 0; x = x[Math.Min(piece, x.Length)..])
            AddSquares(x[..Math.Min(piece, x.Length)], lanes, vectors);
        for (var half = Lanes / 2; half > 0; half /= 2)
        for (var i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
        return lanes[0];
    }

    private static void AddSquares(ReadOnlySpan<float> x, Span<double> lanes, bool vectors)
    {
        var (whole, step, half) = (0, Vector<float>.Count, Vector<double>.Count);
        if (vectors && Vector.IsHardwareAccelerated && Lanes % step == 0)
        {
            whole = x.Length - x.Length % Lanes;
            ref var from = ref MemoryMarshal.GetReference(x);
            for (var lane = 0; lane < Lanes; lane += step)
            {
                var (low, high) = (new Vector<double>(lanes[lane..]), new Vector<double>(lanes[(lane + half)..]));
                for (var i = lane; i < whole; i += Lanes)
                {
                    Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var first, out var second);
                    low += first * first;
                    high += second * second;
                }
                low.CopyTo(lanes[lane..]);
                high.CopyTo(lanes[(lane + half)..]);
            }
        }
        for (var i = whole; i < x.Length; i++)
            lanes[i % Lanes] += (double)x[i] * x[i];
    }

    /// <summary>Euclidean norm, summed in double: it has no range to leave.</summary>
    public static double Norm(ReadOnlySpan<float> x)
    {
        var sum = 0.0;
        foreach (var value in x)
            sum += (double)value * value;
        return Math.Sqrt(sum);
    }

    private static void AddToLanes(ReadOnlySpan<float> x, float scale, Span<float> lanes)
    {
        for (var i = 0; i < x.Length; i++)
        {
            var value = x[i] * scale;
            value *= value;
            lanes[i % Lanes] += value;
        }
    }
}

using System.Runtime.CompilerServices;

namespace Engram.Inference.Kernels;

// Shape letters: N vectors   R rows of the matrix   K columns

/// <summary>
/// y[n, r] = Σ_k w[r, k] · x[n, k]. Every sum runs in the same order whatever N and R are, so that a token has the same bits alone, in a batch and in a long prompt.
/// One vector is limited by how fast the weights arrive: eight rows are read at once. Several share every loaded weight: four rows by four vectors.
/// </summary>
internal static unsafe class MatrixProduct
{
    /// <summary>Multiplies with the widest vectors of this processor.</summary>
    /// <param name="w">Matrix [R, K].</param>
    /// <param name="x">Vectors [N, K].</param>
    /// <param name="xStride">Values from one vector to the next.</param>
    /// <param name="vectors">N.</param>
    /// <param name="y">Receives [N, R].</param>
    /// <param name="yStride">Values from one result to the next.</param>
    public static void Multiply(in Matrix w, float* x, int xStride, int vectors, float* y, int yStride) =>
        Multiply(VectorTiers.Best, w, x, xStride, vectors, y, yStride);

    /// <summary>The same for packed vectors and results.</summary>
    public static void Multiply(in Matrix w, float* x, int vectors, float* y) => Multiply(w, x, w.Columns, vectors, y, w.Rows);

    /// <summary>Multiplies in one tier.</summary>
    public static void Multiply(VectorTier tier, in Matrix w, float* x, int xStride, int vectors, float* y, int yStride)
    {
        switch (tier, w.Format)
        {
            case (VectorTier.Vector512, ValueFormat.Float32): Multiply<Lanes512, float>(w, x, xStride, vectors, y, yStride); break;
            case (VectorTier.Vector512, _): Multiply<Lanes512, ushort>(w, x, xStride, vectors, y, yStride); break;
            case (VectorTier.Vector256, ValueFormat.Float32): Multiply<Lanes256, float>(w, x, xStride, vectors, y, yStride); break;
            case (VectorTier.Vector256, _): Multiply<Lanes256, ushort>(w, x, xStride, vectors, y, yStride); break;
            case (_, ValueFormat.Float32): Multiply<ScalarLanes, float>(w, x, xStride, vectors, y, yStride); break;
            default: Multiply<ScalarLanes, ushort>(w, x, xStride, vectors, y, yStride); break;
        }
    }

    private static void Multiply<TLanes, TValue>(in Matrix w, float* x, int xStride, int vectors, float* y, int yStride)
        where TLanes : struct, ILanes<TLanes> where TValue : unmanaged
    {
        var k = w.Columns;
        var values = (TValue*)w.Values;
        var r = 0;
        for (; r + 8 <= w.Rows; r += 8)
        {
            var rows = values + (nint)r * k;
            var n = 0;
            for (; n + 4 <= vectors; n += 4)
            {
                FourByFour<TLanes, TValue>(rows, k, x + (nint)n * xStride, xStride, y + (nint)n * yStride + r, yStride);
                FourByFour<TLanes, TValue>(rows + 4 * (nint)k, k, x + (nint)n * xStride, xStride, y + (nint)n * yStride + r + 4, yStride);
            }

            for (; n < vectors; n++)
                EightRows<TLanes, TValue>(rows, k, x + (nint)n * xStride, y + (nint)n * yStride + r);
        }

        for (; r < w.Rows; r++)
            for (var n = 0; n < vectors; n++)
                y[(nint)n * yStride + r] = Dot<TLanes, TValue>(values + (nint)r * k, x + (nint)n * xStride, k);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Load<TLanes, TValue>(TValue* source) where TLanes : struct, ILanes<TLanes> where TValue : unmanaged =>
        typeof(TValue) == typeof(float) ? TLanes.Load((float*)source) : TLanes.Load((ushort*)source);

    /// <summary>What is left of a dot product behind the last whole register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Rest<TValue>(float sum, TValue* w, float* x, int from, int k) where TValue : unmanaged
    {
        for (; from < k; from++)
            sum += (typeof(TValue) == typeof(float) ? ((float*)w)[from] : BitConverter.UInt32BitsToSingle((uint)((ushort*)w)[from] << 16)) * x[from];
        return sum;
    }

    private static float Dot<TLanes, TValue>(TValue* w, float* x, int k) where TLanes : struct, ILanes<TLanes> where TValue : unmanaged
    {
        var sum = TLanes.Fill(0);
        var i = 0;
        for (; i <= k - TLanes.Count; i += TLanes.Count)
            sum = TLanes.MultiplyAdd(Load<TLanes, TValue>(w + i), TLanes.Load(x + i), sum);
        return Rest(TLanes.Sum(sum), w, x, i, k);
    }

    private static void EightRows<TLanes, TValue>(TValue* w, int k, float* x, float* y) where TLanes : struct, ILanes<TLanes> where TValue : unmanaged
    {
        TValue* w1 = w + k, w2 = w1 + k, w3 = w2 + k, w4 = w3 + k, w5 = w4 + k, w6 = w5 + k, w7 = w6 + k;
        TLanes s0 = TLanes.Fill(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        var i = 0;
        for (; i <= k - TLanes.Count; i += TLanes.Count)
        {
            var v = TLanes.Load(x + i);
            s0 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w + i), v, s0);
            s1 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w1 + i), v, s1);
            s2 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w2 + i), v, s2);
            s3 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w3 + i), v, s3);
            s4 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w4 + i), v, s4);
            s5 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w5 + i), v, s5);
            s6 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w6 + i), v, s6);
            s7 = TLanes.MultiplyAdd(Load<TLanes, TValue>(w7 + i), v, s7);
        }

        y[0] = Rest(TLanes.Sum(s0), w, x, i, k);
        y[1] = Rest(TLanes.Sum(s1), w1, x, i, k);
        y[2] = Rest(TLanes.Sum(s2), w2, x, i, k);
        y[3] = Rest(TLanes.Sum(s3), w3, x, i, k);
        y[4] = Rest(TLanes.Sum(s4), w4, x, i, k);
        y[5] = Rest(TLanes.Sum(s5), w5, x, i, k);
        y[6] = Rest(TLanes.Sum(s6), w6, x, i, k);
        y[7] = Rest(TLanes.Sum(s7), w7, x, i, k);
    }

    private static void FourByFour<TLanes, TValue>(TValue* w, int k, float* x, int xStride, float* y, int yStride)
        where TLanes : struct, ILanes<TLanes> where TValue : unmanaged
    {
        TValue* w1 = w + k, w2 = w1 + k, w3 = w2 + k;
        float* x1 = x + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
        TLanes a0 = TLanes.Fill(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        TLanes c0 = a0, c1 = a0, c2 = a0, c3 = a0, d0 = a0, d1 = a0, d2 = a0, d3 = a0;
        var i = 0;
        for (; i <= k - TLanes.Count; i += TLanes.Count)
        {
            TLanes u0 = Load<TLanes, TValue>(w + i), u1 = Load<TLanes, TValue>(w1 + i), u2 = Load<TLanes, TValue>(w2 + i), u3 = Load<TLanes, TValue>(w3 + i);
            var v = TLanes.Load(x + i);
            a0 = TLanes.MultiplyAdd(u0, v, a0);
            a1 = TLanes.MultiplyAdd(u1, v, a1);
            a2 = TLanes.MultiplyAdd(u2, v, a2);
            a3 = TLanes.MultiplyAdd(u3, v, a3);
            v = TLanes.Load(x1 + i);
            b0 = TLanes.MultiplyAdd(u0, v, b0);
            b1 = TLanes.MultiplyAdd(u1, v, b1);
            b2 = TLanes.MultiplyAdd(u2, v, b2);
            b3 = TLanes.MultiplyAdd(u3, v, b3);
            v = TLanes.Load(x2 + i);
            c0 = TLanes.MultiplyAdd(u0, v, c0);
            c1 = TLanes.MultiplyAdd(u1, v, c1);
            c2 = TLanes.MultiplyAdd(u2, v, c2);
            c3 = TLanes.MultiplyAdd(u3, v, c3);
            v = TLanes.Load(x3 + i);
            d0 = TLanes.MultiplyAdd(u0, v, d0);
            d1 = TLanes.MultiplyAdd(u1, v, d1);
            d2 = TLanes.MultiplyAdd(u2, v, d2);
            d3 = TLanes.MultiplyAdd(u3, v, d3);
        }

        Finish(w, k, x, i, y, a0, a1, a2, a3);
        Finish(w, k, x1, i, y + yStride, b0, b1, b2, b3);
        Finish(w, k, x2, i, y + 2 * (nint)yStride, c0, c1, c2, c3);
        Finish(w, k, x3, i, y + 3 * (nint)yStride, d0, d1, d2, d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<TLanes, TValue>(TValue* w, int k, float* x, int from, float* y, TLanes s0, TLanes s1, TLanes s2, TLanes s3)
        where TLanes : struct, ILanes<TLanes> where TValue : unmanaged
    {
        y[0] = Rest(TLanes.Sum(s0), w, x, from, k);
        y[1] = Rest(TLanes.Sum(s1), w + k, x, from, k);
        y[2] = Rest(TLanes.Sum(s2), w + 2 * (nint)k, x, from, k);
        y[3] = Rest(TLanes.Sum(s3), w + 3 * (nint)k, x, from, k);
    }
}

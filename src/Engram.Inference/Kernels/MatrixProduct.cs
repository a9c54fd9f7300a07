using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Engram.Inference.Kernels;

// Shape letters: N vectors   R rows of the matrix   K columns

/// <summary>
/// y[n, r] = Σ_k w[r, k] · x[n, k]. Every sum runs in the same order whatever N and R are, so that a token has the same bits alone, in a
/// batch and in a long prompt; and stored values are decoded to float32 on the way, so that a matrix has the bits of its decoded values.
/// One vector is limited by how fast the weights arrive: eight rows are read at once, and what follows them in memory is asked for at the
/// same time, because rows are too short for the processor to see a stream in them. Several vectors share every loaded weight: four rows by
/// four vectors.
/// </summary>
internal static unsafe class MatrixProduct
{
    private const int BlockRows = 8;

    // How far ahead weights are asked for at least: what memory delivers within its latency, and a part of the first-level cache.
    private const int AheadBytes = 8192;
    private const int CacheLine = 64;

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
        switch (tier)
        {
            case VectorTier.Vector512:
                Multiply<Lanes512>(w, x, xStride, vectors, y, yStride);
                break;
            case VectorTier.Vector256:
                Multiply<Lanes256>(w, x, xStride, vectors, y, yStride);
                break;
            default:
                Multiply<ScalarLanes>(w, x, xStride, vectors, y, yStride);
                break;
        }
    }

    private static void Multiply<TLanes>(in Matrix w, float* x, int xStride, int vectors, float* y, int yStride)
        where TLanes : struct, ILanes<TLanes>
    {
        switch (w.Format)
        {
            case ValueFormat.Float32:
                Multiply<TLanes, StoredFloat32>(w, x, xStride, vectors, y, yStride);
                break;
            case ValueFormat.BFloat16:
                Multiply<TLanes, StoredBFloat16>(w, x, xStride, vectors, y, yStride);
                break;
            case ValueFormat.Int8:
                Multiply<TLanes, StoredInt8>(w, x, xStride, vectors, y, yStride);
                break;
            case ValueFormat.Int4:
                Multiply<TLanes, StoredInt4>(w, x, xStride, vectors, y, yStride);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TLanes, TStored>(in Matrix w, float* x, int xStride, int vectors, float* y, int yStride)
        where TLanes : struct, ILanes<TLanes>
        where TStored : struct, IStored
    {
        var (k, bytes, groups) = (w.Columns, (nint)w.RowBytes, (nint)w.RowScales);
        var r = 0;
        if (k < TLanes.Count)
        {
            for (; r < w.Rows; r++)
            for (var n = 0; n < vectors; n++)
                y[(nint)n * yStride + r] = Short<TStored>(w.Row(r), w.RowScale(r), x + (nint)n * xStride, k);
            return;
        }

        // Whole blocks: within one, a later row is read at the same time as the first.
        var end = w.Row(w.Rows);
        var block = BlockRows * bytes;
        var distance = Math.Max(1, AheadBytes / block) * block;
        for (; r + BlockRows <= w.Rows; r += BlockRows)
        {
            var (rows, scales) = ((nint)w.Row(r), (nint)w.RowScale(r));
            // Past the end of the matrix lies something else: then the rows themselves, which are there, are asked for.
            var ahead = (byte*)rows + distance + block <= end ? distance : 0;
            var n = 0;
            for (; n + 4 <= vectors; n += 4)
            {
                var (xs, ys) = ((nint)(x + (nint)n * xStride), (nint)(y + (nint)n * yStride + r));
                FourByFour<TLanes, TStored>(
                    (byte*)rows,
                    bytes,
                    ahead,
                    (ushort*)scales,
                    groups,
                    k,
                    (float*)xs,
                    xStride,
                    (float*)ys,
                    yStride
                );
                FourByFour<TLanes, TStored>(
                    (byte*)rows + 4 * bytes,
                    bytes,
                    ahead,
                    (ushort*)scales + 4 * groups,
                    groups,
                    k,
                    (float*)xs,
                    xStride,
                    (float*)ys + 4,
                    yStride
                );
                ahead = 0;
            }

            for (; n < vectors; n++)
            {
                EightRows<TLanes, TStored>(
                    (byte*)rows,
                    bytes,
                    ahead,
                    (ushort*)scales,
                    groups,
                    k,
                    x + (nint)n * xStride,
                    y + (nint)n * yStride + r
                );
                ahead = 0;
            }
        }

        for (; r < w.Rows; r++)
        for (var n = 0; n < vectors; n++)
            y[(nint)n * yStride + r] = Dot<TLanes, TStored>(w.Row(r), w.RowScale(r), x + (nint)n * xStride, k);
    }

    /// <summary>A dot product shorter than a register.</summary>
    private static float Short<TStored>(byte* w, ushort* scales, float* x, int k)
        where TStored : struct, IStored
    {
        var (sum, scale) = (0f, TStored.Scale<ScalarLanes>(scales));
        for (var i = 0; i < k; i++)
            sum += ScalarLanes.Sum(TStored.Load(w, scale, i)) * x[i];
        return sum;
    }

    /// <summary>
    /// The register that holds value <paramref name="i"/> and those behind it. Where the last is not full, it reads the row's last values,
    /// of which some have been read before; they meet zeros. Its scale is that of its last value.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int From, int Kept, nint Group) Rest<TLanes>(int i, int k)
        where TLanes : struct, ILanes<TLanes>
    {
        var from = Math.Min(i, k - TLanes.Count);
        return (from, TLanes.Count - (i - from), (from + TLanes.Count - 1) / Matrix.GroupSize);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(byte* address, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(address);
        if (bytes > CacheLine)
            Sse.Prefetch0(address + CacheLine);
        if (bytes > 2 * CacheLine)
        {
            Sse.Prefetch0(address + 2 * CacheLine);
            Sse.Prefetch0(address + 3 * CacheLine);
        }

        if (bytes > 4 * CacheLine)
        {
            Sse.Prefetch0(address + 4 * CacheLine);
            Sse.Prefetch0(address + 5 * CacheLine);
            Sse.Prefetch0(address + 6 * CacheLine);
            Sse.Prefetch0(address + 7 * CacheLine);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<TLanes, TStored>(byte* w, ushort* scales, float* x, int k)
        where TLanes : struct, ILanes<TLanes>
        where TStored : struct, IStored
    {
        var sum = TLanes.Fill(0);
        var i = 0;
        for (; i <= k - TLanes.Count; i += TLanes.Count)
            sum = TLanes.MultiplyAdd(
                TStored.Load(w, TStored.Scale<TLanes>(scales + (uint)i / Matrix.GroupSize), i),
                TLanes.Load(x + i),
                sum
            );
        if (i < k)
        {
            var (from, kept, group) = Rest<TLanes>(i, k);
            var v = TLanes.KeepLast(TLanes.Load(x + from), kept);
            sum = TLanes.MultiplyAdd(TStored.Load(w, TStored.Scale<TLanes>(scales + group), from), v, sum);
        }

        return TLanes.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightRows<TLanes, TStored>(byte* w, nint bytes, nint ahead, ushort* scales, nint groups, int k, float* x, float* y)
        where TLanes : struct, ILanes<TLanes>
        where TStored : struct, IStored
    {
        var step = BlockRows * TLanes.Count * TStored.Bits / 8;
        var next = w + ahead;
        byte* w1 = w + bytes,
            w2 = w1 + bytes,
            w3 = w2 + bytes,
            w4 = w3 + bytes,
            w5 = w4 + bytes,
            w6 = w5 + bytes,
            w7 = w6 + bytes;
        ushort* g1 = scales + groups,
            g2 = g1 + groups,
            g3 = g2 + groups,
            g4 = g3 + groups,
            g5 = g4 + groups,
            g6 = g5 + groups,
            g7 = g6 + groups;
        TLanes s0 = TLanes.Fill(0),
            s1 = s0,
            s2 = s0,
            s3 = s0,
            s4 = s0,
            s5 = s0,
            s6 = s0,
            s7 = s0;
        var i = 0;
        for (nint group = 0; i <= k - Matrix.GroupSize; group++)
        {
            TLanes q0 = TStored.Scale<TLanes>(scales + group),
                q1 = TStored.Scale<TLanes>(g1 + group),
                q2 = TStored.Scale<TLanes>(g2 + group),
                q3 = TStored.Scale<TLanes>(g3 + group),
                q4 = TStored.Scale<TLanes>(g4 + group),
                q5 = TStored.Scale<TLanes>(g5 + group),
                q6 = TStored.Scale<TLanes>(g6 + group),
                q7 = TStored.Scale<TLanes>(g7 + group);
            for (var end = i + Matrix.GroupSize; i < end; i += TLanes.Count, next += step)
            {
                Ask(next, step);
                var v = TLanes.Load(x + i);
                s0 = TLanes.MultiplyAdd(TStored.Load(w, q0, i), v, s0);
                s1 = TLanes.MultiplyAdd(TStored.Load(w1, q1, i), v, s1);
                s2 = TLanes.MultiplyAdd(TStored.Load(w2, q2, i), v, s2);
                s3 = TLanes.MultiplyAdd(TStored.Load(w3, q3, i), v, s3);
                s4 = TLanes.MultiplyAdd(TStored.Load(w4, q4, i), v, s4);
                s5 = TLanes.MultiplyAdd(TStored.Load(w5, q5, i), v, s5);
                s6 = TLanes.MultiplyAdd(TStored.Load(w6, q6, i), v, s6);
                s7 = TLanes.MultiplyAdd(TStored.Load(w7, q7, i), v, s7);
            }
        }

        for (; i < k; i += TLanes.Count)
        {
            var (from, kept, group) = Rest<TLanes>(i, k);
            var v = TLanes.KeepLast(TLanes.Load(x + from), kept);
            s0 = TLanes.MultiplyAdd(TStored.Load(w, TStored.Scale<TLanes>(scales + group), from), v, s0);
            s1 = TLanes.MultiplyAdd(TStored.Load(w1, TStored.Scale<TLanes>(g1 + group), from), v, s1);
            s2 = TLanes.MultiplyAdd(TStored.Load(w2, TStored.Scale<TLanes>(g2 + group), from), v, s2);
            s3 = TLanes.MultiplyAdd(TStored.Load(w3, TStored.Scale<TLanes>(g3 + group), from), v, s3);
            s4 = TLanes.MultiplyAdd(TStored.Load(w4, TStored.Scale<TLanes>(g4 + group), from), v, s4);
            s5 = TLanes.MultiplyAdd(TStored.Load(w5, TStored.Scale<TLanes>(g5 + group), from), v, s5);
            s6 = TLanes.MultiplyAdd(TStored.Load(w6, TStored.Scale<TLanes>(g6 + group), from), v, s6);
            s7 = TLanes.MultiplyAdd(TStored.Load(w7, TStored.Scale<TLanes>(g7 + group), from), v, s7);
        }

        TLanes.Sum(s0, s1, s2, s3, s4, s5, s6, s7, y);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByFour<TLanes, TStored>(
        byte* w,
        nint bytes,
        nint ahead,
        ushort* scales,
        nint groups,
        int k,
        float* x,
        int xStride,
        float* y,
        int yStride
    )
        where TLanes : struct, ILanes<TLanes>
        where TStored : struct, IStored
    {
        var step = 4 * TLanes.Count * TStored.Bits / 8;
        var next = w + ahead;
        byte* w1 = w + bytes,
            w2 = w1 + bytes,
            w3 = w2 + bytes;
        ushort* g1 = scales + groups,
            g2 = g1 + groups,
            g3 = g2 + groups;
        float* x1 = x + xStride,
            x2 = x1 + xStride,
            x3 = x2 + xStride;
        TLanes a0 = TLanes.Fill(0),
            a1 = a0,
            a2 = a0,
            a3 = a0,
            b0 = a0,
            b1 = a0,
            b2 = a0,
            b3 = a0;
        TLanes c0 = a0,
            c1 = a0,
            c2 = a0,
            c3 = a0,
            d0 = a0,
            d1 = a0,
            d2 = a0,
            d3 = a0;
        var i = 0;
        for (nint group = 0; i <= k - Matrix.GroupSize; group++)
        {
            TLanes q0 = TStored.Scale<TLanes>(scales + group),
                q1 = TStored.Scale<TLanes>(g1 + group);
            TLanes q2 = TStored.Scale<TLanes>(g2 + group),
                q3 = TStored.Scale<TLanes>(g3 + group);
            for (var end = i + Matrix.GroupSize; i < end; i += TLanes.Count, next += step)
            {
                Ask(next, step);
                TLanes u0 = TStored.Load(w, q0, i),
                    u1 = TStored.Load(w1, q1, i);
                TLanes u2 = TStored.Load(w2, q2, i),
                    u3 = TStored.Load(w3, q3, i);
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
        }

        for (; i < k; i += TLanes.Count)
        {
            var (from, kept, group) = Rest<TLanes>(i, k);
            TLanes u0 = TStored.Load(w, TStored.Scale<TLanes>(scales + group), from),
                u1 = TStored.Load(w1, TStored.Scale<TLanes>(g1 + group), from);
            TLanes u2 = TStored.Load(w2, TStored.Scale<TLanes>(g2 + group), from),
                u3 = TStored.Load(w3, TStored.Scale<TLanes>(g3 + group), from);
            var v = TLanes.KeepLast(TLanes.Load(x + from), kept);
            a0 = TLanes.MultiplyAdd(u0, v, a0);
            a1 = TLanes.MultiplyAdd(u1, v, a1);
            a2 = TLanes.MultiplyAdd(u2, v, a2);
            a3 = TLanes.MultiplyAdd(u3, v, a3);
            v = TLanes.KeepLast(TLanes.Load(x1 + from), kept);
            b0 = TLanes.MultiplyAdd(u0, v, b0);
            b1 = TLanes.MultiplyAdd(u1, v, b1);
            b2 = TLanes.MultiplyAdd(u2, v, b2);
            b3 = TLanes.MultiplyAdd(u3, v, b3);
            v = TLanes.KeepLast(TLanes.Load(x2 + from), kept);
            c0 = TLanes.MultiplyAdd(u0, v, c0);
            c1 = TLanes.MultiplyAdd(u1, v, c1);
            c2 = TLanes.MultiplyAdd(u2, v, c2);
            c3 = TLanes.MultiplyAdd(u3, v, c3);
            v = TLanes.KeepLast(TLanes.Load(x3 + from), kept);
            d0 = TLanes.MultiplyAdd(u0, v, d0);
            d1 = TLanes.MultiplyAdd(u1, v, d1);
            d2 = TLanes.MultiplyAdd(u2, v, d2);
            d3 = TLanes.MultiplyAdd(u3, v, d3);
        }

        var sums = stackalloc float[16];
        TLanes.Sum(a0, a1, a2, a3, b0, b1, b2, b3, sums);
        TLanes.Sum(c0, c1, c2, c3, d0, d1, d2, d3, sums + 8);
        for (var n = 0; n < 4; n++)
        for (var r = 0; r < 4; r++)
            y[n * (nint)yStride + r] = sums[4 * n + r];
    }
}

using System.Runtime.CompilerServices;

namespace Engram.Inference.Kernels;

/// <summary>y = Σ_u a[u] · rows[u]: a weighted sum of rows. Every element is summed in the order of the rows, in registers.</summary>
internal static unsafe class RowMixture
{
    // Rows that several mixtures read one after the other while they are in the second-level cache.
    private const int RowsAtOnce = 128;

    /// <summary>Mixes all rows of a matrix, with the widest vectors of this processor.</summary>
    /// <param name="rows">R rows of K values.</param>
    /// <param name="weights">One weight per row.</param>
    /// <param name="y">Receives K values.</param>
    public static void Mix(in Matrix rows, float* weights, float* y) =>
        Mix(VectorTiers.Best, rows, rows.RowBytes, rows.Columns, weights, y);

    /// <summary>Mixes the first values of float32 rows, with the widest vectors of this processor.</summary>
    /// <param name="rows">The first row; any address.</param>
    /// <param name="stride">Values from one row to the next.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="weights">One weight per row.</param>
    /// <param name="width">Values of a row that are mixed.</param>
    /// <param name="y">Receives them.</param>
    public static void Mix(float* rows, int stride, int count, float* weights, int width, float* y) =>
        Mix(VectorTiers.Best, new Matrix((nint)rows, count, width), stride * sizeof(float), width, weights, y);

    /// <summary>Mixes in one tier.</summary>
    /// <param name="tier">At most the processor's.</param>
    /// <param name="rows">R rows.</param>
    /// <param name="stride">Bytes from one row to the next.</param>
    /// <param name="width">Values of a row that are mixed.</param>
    /// <param name="weights">One weight per row.</param>
    /// <param name="y">Receives them.</param>
    public static void Mix(VectorTier tier, in Matrix rows, int stride, int width, float* weights, float* y)
    {
        switch (tier)
        {
            case VectorTier.Vector512:
                Mix<Lanes512>(rows, stride, width, weights, y);
                break;
            case VectorTier.Vector256:
                Mix<Lanes256>(rows, stride, width, weights, y);
                break;
            default:
                Mix<ScalarLanes>(rows, stride, width, weights, y);
                break;
        }
    }

    /// <summary>Several mixtures of the same float32 rows, each with the bits that it has alone; rows are read once for four.</summary>
    /// <param name="tier">At most the processor's.</param>
    /// <param name="rows">R rows, of which the first K values are mixed.</param>
    /// <param name="stride">Values from one row to the next.</param>
    /// <param name="weights">One weight per row, mixture after mixture.</param>
    /// <param name="weightStride">Values from the weights of one mixture to those of the next.</param>
    /// <param name="mixtures">How many.</param>
    /// <param name="y">Receives K values of each, one after the other.</param>
    public static void MixSeveral(VectorTier tier, in Matrix rows, int stride, float* weights, nint weightStride, int mixtures, float* y)
    {
        switch (tier)
        {
            case VectorTier.Vector512:
                MixSeveral<Lanes512>(rows, stride, weights, weightStride, mixtures, y);
                break;
            case VectorTier.Vector256:
                MixSeveral<Lanes256>(rows, stride, weights, weightStride, mixtures, y);
                break;
            default:
                MixSeveral<ScalarLanes>(rows, stride, weights, weightStride, mixtures, y);
                break;
        }
    }

    private static void Mix<TLanes>(in Matrix rows, int stride, int width, float* weights, float* y)
        where TLanes : struct, ILanes<TLanes>
    {
        switch (rows.Format)
        {
            case ValueFormat.Float32:
                Mix<TLanes, StoredFloat32>(rows, stride, 0, width, weights, y, goOn: false);
                break;
            case ValueFormat.BFloat16:
                Mix<TLanes, StoredBFloat16>(rows, stride, 0, width, weights, y, goOn: false);
                break;
            case ValueFormat.Int8:
                Mix<TLanes, StoredInt8>(rows, stride, 0, width, weights, y, goOn: false);
                break;
            case ValueFormat.Int4:
                Mix<TLanes, StoredInt4>(rows, stride, 0, width, weights, y, goOn: false);
                break;
        }
    }

    private static void MixSeveral<TLanes>(in Matrix rows, int stride, float* weights, nint weightStride, int mixtures, float* y)
        where TLanes : struct, ILanes<TLanes>
    {
        for (var u = 0; u < rows.Rows; u += RowsAtOnce)
        {
            var first = (float*)rows.Values + (nint)u * stride;
            var (count, goOn) = (Math.Min(RowsAtOnce, rows.Rows - u), u > 0);
            var m = 0;
            for (; m + 4 <= mixtures; m += 4)
                FourMixtures<TLanes>(
                    first,
                    stride,
                    count,
                    weights + m * weightStride + u,
                    weightStride,
                    rows.Columns,
                    y + m * rows.Columns,
                    goOn
                );
            for (; m < mixtures; m++)
                Mix<TLanes, StoredFloat32>(
                    new Matrix((nint)first, count, rows.Columns),
                    stride * sizeof(float),
                    0,
                    rows.Columns,
                    weights + m * weightStride + u,
                    y + m * rows.Columns,
                    goOn
                );
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourMixtures<TLanes>(
        float* rows,
        nint stride,
        int count,
        float* weights,
        nint weightStride,
        int width,
        float* y,
        bool goOn
    )
        where TLanes : struct, ILanes<TLanes>
    {
        var lanes = TLanes.Count;
        float* w1 = weights + weightStride,
            w2 = w1 + weightStride,
            w3 = w2 + weightStride;
        float* y1 = y + width,
            y2 = y1 + width,
            y3 = y2 + width;
        var i = 0;
        for (; i <= width - 2 * lanes; i += 2 * lanes)
        {
            TLanes a0 = Start<TLanes>(y + i, goOn),
                a1 = Start<TLanes>(y + i + lanes, goOn),
                b0 = Start<TLanes>(y1 + i, goOn),
                b1 = Start<TLanes>(y1 + i + lanes, goOn);
            TLanes c0 = Start<TLanes>(y2 + i, goOn),
                c1 = Start<TLanes>(y2 + i + lanes, goOn),
                d0 = Start<TLanes>(y3 + i, goOn),
                d1 = Start<TLanes>(y3 + i + lanes, goOn);
            var row = rows + i;
            for (nint u = 0; u < count; u++, row += stride)
            {
                TLanes v0 = TLanes.Load(row),
                    v1 = TLanes.Load(row + lanes);
                var a = TLanes.Fill(weights[u]);
                a0 = TLanes.MultiplyAdd(v0, a, a0);
                a1 = TLanes.MultiplyAdd(v1, a, a1);
                a = TLanes.Fill(w1[u]);
                b0 = TLanes.MultiplyAdd(v0, a, b0);
                b1 = TLanes.MultiplyAdd(v1, a, b1);
                a = TLanes.Fill(w2[u]);
                c0 = TLanes.MultiplyAdd(v0, a, c0);
                c1 = TLanes.MultiplyAdd(v1, a, c1);
                a = TLanes.Fill(w3[u]);
                d0 = TLanes.MultiplyAdd(v0, a, d0);
                d1 = TLanes.MultiplyAdd(v1, a, d1);
            }

            TLanes.Store(a0, y + i);
            TLanes.Store(a1, y + i + lanes);
            TLanes.Store(b0, y1 + i);
            TLanes.Store(b1, y1 + i + lanes);
            TLanes.Store(c0, y2 + i);
            TLanes.Store(c1, y2 + i + lanes);
            TLanes.Store(d0, y3 + i);
            TLanes.Store(d1, y3 + i + lanes);
        }

        for (var m = 0; m < 4 && i < width; m++)
            Mix<TLanes, StoredFloat32>(
                new Matrix((nint)rows, count, width),
                (int)stride * sizeof(float),
                i,
                width,
                weights + m * weightStride,
                y + m * width,
                goOn
            );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Start<TLanes>(float* y, bool goOn)
        where TLanes : struct, ILanes<TLanes> => goOn ? TLanes.Load(y) : TLanes.Fill(0);

    /// <summary>Values <paramref name="from"/> … <paramref name="width"/> of one mixture; adds to what is there where it goes on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mix<TLanes, TStored>(in Matrix rows, int stride, int from, int width, float* weights, float* y, bool goOn)
        where TLanes : struct, ILanes<TLanes>
        where TStored : struct, IStored
    {
        var (lanes, count, scaleStride) = (TLanes.Count, rows.Rows, rows.RowScales * sizeof(ushort));
        var i = from;
        for (; i <= width - 4 * lanes; i += 4 * lanes)
        {
            TLanes s0 = Start<TLanes>(y + i, goOn),
                s1 = Start<TLanes>(y + i + lanes, goOn),
                s2 = Start<TLanes>(y + i + 2 * lanes, goOn),
                s3 = Start<TLanes>(y + i + 3 * lanes, goOn);
            var row = rows.Values;
            nint q0 = Scale(rows, i),
                q1 = Scale(rows, i + lanes),
                q2 = Scale(rows, i + 2 * lanes),
                q3 = Scale(rows, i + 3 * lanes),
                scales = 0;
            for (var u = 0; u < count; u++, row += stride, scales += scaleStride)
            {
                var a = TLanes.Fill(weights[u]);
                s0 = TLanes.MultiplyAdd(Load<TLanes, TStored>(row, q0 + scales, i), a, s0);
                s1 = TLanes.MultiplyAdd(Load<TLanes, TStored>(row, q1 + scales, i + lanes), a, s1);
                s2 = TLanes.MultiplyAdd(Load<TLanes, TStored>(row, q2 + scales, i + 2 * lanes), a, s2);
                s3 = TLanes.MultiplyAdd(Load<TLanes, TStored>(row, q3 + scales, i + 3 * lanes), a, s3);
            }

            TLanes.Store(s0, y + i);
            TLanes.Store(s1, y + i + lanes);
            TLanes.Store(s2, y + i + 2 * lanes);
            TLanes.Store(s3, y + i + 3 * lanes);
        }

        for (; i <= width - lanes; i += lanes)
        {
            var sum = Start<TLanes>(y + i, goOn);
            var (row, scale) = (rows.Values, Scale(rows, i));
            for (var u = 0; u < count; u++, row += stride, scale += scaleStride)
                sum = TLanes.MultiplyAdd(Load<TLanes, TStored>(row, scale, i), TLanes.Fill(weights[u]), sum);
            TLanes.Store(sum, y + i);
        }

        if (typeof(TLanes) == typeof(Lanes512) && i < width)
            Mix<Lanes256, TStored>(rows, stride, i, width, weights, y, goOn);
        else if (typeof(TLanes) == typeof(Lanes256) && i < width)
            Mix<ScalarLanes, TStored>(rows, stride, i, width, weights, y, goOn);
    }

    /// <summary>Where the scale of the first row's value lies.</summary>
    private static nint Scale(in Matrix rows, int index) => rows.Scales + index / Matrix.GroupSize * sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Load<TLanes, TStored>(nint row, nint scale, int index)
        where TLanes : struct, ILanes<TLanes>
        where TStored : struct, IStored => TStored.Load((byte*)row, TStored.Scale<TLanes>((ushort*)scale), index);
}

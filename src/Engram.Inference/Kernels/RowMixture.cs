using System.Runtime.CompilerServices;

namespace Engram.Inference.Kernels;

/// <summary>y = Σ_u a[u] · rows[u]: a weighted sum of rows. Every element is summed in the order of the rows, in registers.</summary>
internal static unsafe class RowMixture
{
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

    private static void Mix<TLanes>(in Matrix rows, int stride, int width, float* weights, float* y)
        where TLanes : struct, ILanes<TLanes>
    {
        switch (rows.Format)
        {
            case ValueFormat.Float32:
                Mix<TLanes, StoredSingle>(rows, stride, 0, width, weights, y);
                break;
            case ValueFormat.BFloat16:
                Mix<TLanes, StoredHalf>(rows, stride, 0, width, weights, y);
                break;
            case ValueFormat.Int8:
                Mix<TLanes, StoredByte>(rows, stride, 0, width, weights, y);
                break;
            default:
                Mix<TLanes, StoredNibble>(rows, stride, 0, width, weights, y);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Mix<TLanes, TStored>(in Matrix rows, int stride, int from, int width, float* weights, float* y)
        where TLanes : struct, ILanes<TLanes>
        where TStored : struct, IStored
    {
        var (lanes, count, scaleStride) = (TLanes.Count, rows.Rows, rows.RowScales);
        var i = from;
        for (; i <= width - 4 * lanes; i += 4 * lanes)
        {
            TLanes s0 = TLanes.Fill(0),
                s1 = s0,
                s2 = s0,
                s3 = s0;
            var (row, scale) = (rows.Values, rows.Scales);
            for (var u = 0; u < count; u++, row += stride, scale += scaleStride * sizeof(ushort))
            {
                var a = TLanes.Fill(weights[u]);
                s0 = TLanes.MultiplyAdd(TStored.Load<TLanes>((byte*)row, (ushort*)scale, i), a, s0);
                s1 = TLanes.MultiplyAdd(TStored.Load<TLanes>((byte*)row, (ushort*)scale, i + lanes), a, s1);
                s2 = TLanes.MultiplyAdd(TStored.Load<TLanes>((byte*)row, (ushort*)scale, i + 2 * lanes), a, s2);
                s3 = TLanes.MultiplyAdd(TStored.Load<TLanes>((byte*)row, (ushort*)scale, i + 3 * lanes), a, s3);
            }

            TLanes.Store(s0, y + i);
            TLanes.Store(s1, y + i + lanes);
            TLanes.Store(s2, y + i + 2 * lanes);
            TLanes.Store(s3, y + i + 3 * lanes);
        }

        for (; i <= width - lanes; i += lanes)
        {
            var sum = TLanes.Fill(0);
            var (row, scale) = (rows.Values, rows.Scales);
            for (var u = 0; u < count; u++, row += stride, scale += scaleStride * sizeof(ushort))
                sum = TLanes.MultiplyAdd(TStored.Load<TLanes>((byte*)row, (ushort*)scale, i), TLanes.Fill(weights[u]), sum);
            TLanes.Store(sum, y + i);
        }

        if (typeof(TLanes) == typeof(Lanes512) && i < width)
            Mix<Lanes256, TStored>(rows, stride, i, width, weights, y);
        else if (typeof(TLanes) == typeof(Lanes256) && i < width)
            Mix<ScalarLanes, TStored>(rows, stride, i, width, weights, y);
    }
}

using System.Runtime.CompilerServices;

namespace Engram.Inference.Kernels;

/// <summary>y = Σ_u a[u] · rows[u]: a weighted sum of rows. Every element is summed in the order of the rows, in registers.</summary>
internal static unsafe class RowMixture
{
    /// <summary>Mixes with the widest vectors of this processor.</summary>
    /// <param name="rows">The first row; any address.</param>
    /// <param name="stride">Values from one row to the next.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="weights">One weight per row.</param>
    /// <param name="width">Values of a row that are mixed.</param>
    /// <param name="y">Receives them.</param>
    /// <param name="format">What the rows are; their stride counts values of it.</param>
    public static void Mix(nint rows, int stride, int count, float* weights, int width, float* y, ValueFormat format = ValueFormat.Float32) =>
        Mix(VectorTiers.Best, rows, stride, count, weights, width, y, format);

    /// <summary>Mixes in one tier.</summary>
    public static void Mix(VectorTier tier, nint rows, int stride, int count, float* weights, int width, float* y, ValueFormat format)
    {
        switch (tier, format)
        {
            case (VectorTier.Vector512, ValueFormat.Float32): Mix<Lanes512, float>((float*)rows, stride, count, weights, width, y); break;
            case (VectorTier.Vector512, _): Mix<Lanes512, ushort>((ushort*)rows, stride, count, weights, width, y); break;
            case (VectorTier.Vector256, ValueFormat.Float32): Mix<Lanes256, float>((float*)rows, stride, count, weights, width, y); break;
            case (VectorTier.Vector256, _): Mix<Lanes256, ushort>((ushort*)rows, stride, count, weights, width, y); break;
            case (_, ValueFormat.Float32): Mix<ScalarLanes, float>((float*)rows, stride, count, weights, width, y); break;
            default: Mix<ScalarLanes, ushort>((ushort*)rows, stride, count, weights, width, y); break;
        }
    }

    private static void Mix<TLanes, TValue>(TValue* rows, int stride, int count, float* weights, int width, float* y)
        where TLanes : struct, ILanes<TLanes> where TValue : unmanaged
    {
        var lanes = TLanes.Count;
        var i = 0;
        for (; i <= width - 4 * lanes; i += 4 * lanes)
        {
            TLanes s0 = TLanes.Fill(0), s1 = s0, s2 = s0, s3 = s0;
            var row = rows + i;
            for (var u = 0; u < count; u++, row += stride)
            {
                var a = TLanes.Fill(weights[u]);
                s0 = TLanes.MultiplyAdd(Load<TLanes, TValue>(row), a, s0);
                s1 = TLanes.MultiplyAdd(Load<TLanes, TValue>(row + lanes), a, s1);
                s2 = TLanes.MultiplyAdd(Load<TLanes, TValue>(row + 2 * lanes), a, s2);
                s3 = TLanes.MultiplyAdd(Load<TLanes, TValue>(row + 3 * lanes), a, s3);
            }

            TLanes.Store(s0, y + i);
            TLanes.Store(s1, y + i + lanes);
            TLanes.Store(s2, y + i + 2 * lanes);
            TLanes.Store(s3, y + i + 3 * lanes);
        }

        for (; i <= width - lanes; i += lanes)
        {
            var sum = TLanes.Fill(0);
            var row = rows + i;
            for (var u = 0; u < count; u++, row += stride)
                sum = TLanes.MultiplyAdd(Load<TLanes, TValue>(row), TLanes.Fill(weights[u]), sum);
            TLanes.Store(sum, y + i);
        }

        if (typeof(TLanes) != typeof(ScalarLanes) && i < width)
            Mix<ScalarLanes, TValue>(rows + i, stride, count, weights, width - i, y + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Load<TLanes, TValue>(TValue* source) where TLanes : struct, ILanes<TLanes> where TValue : unmanaged =>
        typeof(TValue) == typeof(float) ? TLanes.Load((float*)source) : TLanes.Load((ushort*)source);
}

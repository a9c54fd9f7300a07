using System.Runtime.Intrinsics;

namespace Engram.Torch.Kernels;

// Shape letters: V values of a row

/// <summary>
/// Softmax of one row of logits in two passes over memory. Sums run in sixteen lanes whatever the machine, so the result depends on the row
/// alone.
/// </summary>
internal static class SoftmaxRow
{
    private const int Lanes = 16;

    /// <summary>Replaces logits by exp(logit − max). Returns max and the sum of the exponentials.</summary>
    public static unsafe (float Max, float Sum) Exponentials(float* row, int length)
    {
        var most = Vector512.Create(float.NegativeInfinity);
        var i = 0;
        for (; i <= length - Lanes; i += Lanes)
            most = Vector512.Max(most, Vector512.Load(row + i));
        var max = float.NegativeInfinity;
        for (var lane = 0; lane < Lanes; lane++)
            max = MathF.Max(max, most.GetElement(lane));
        for (; i < length; i++)
            max = MathF.Max(max, row[i]);

        var (shift, sums) = (Vector512.Create(max), Vector512<float>.Zero);
        for (i = 0; i <= length - Lanes; i += Lanes)
        {
            var e = Vector512.Exp(Vector512.Load(row + i) - shift);
            e.Store(row + i);
            sums += e;
        }

        var sum = Vector512.Sum(sums);
        for (; i < length; i++)
            sum += row[i] = MathF.Exp(row[i] - max);
        return (max, sum);
    }

    /// <summary>Multiplies a row by a factor.</summary>
    public static unsafe void Scale(float* row, int length, float factor)
    {
        var by = Vector512.Create(factor);
        var i = 0;
        for (; i <= length - Lanes; i += Lanes)
            (Vector512.Load(row + i) * by).Store(row + i);
        for (; i < length; i++)
            row[i] *= factor;
    }
}

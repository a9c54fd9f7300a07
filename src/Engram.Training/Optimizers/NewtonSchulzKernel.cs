using System.Runtime.Intrinsics;

namespace Engram.Training.Optimizers;

/// <summary>
/// The Newton–Schulz iteration of many small matrices, one per lane: a third fewer multiplications than whole products, because XXᵀ and its
/// square are symmetric, and nothing but the cache in between. Reference: <see cref="TorchScript.Orthogonalize"/>; scalar twin: one lane.
/// </summary>
internal static unsafe class NewtonSchulzKernel
{
    // What one batch may occupy of a core's second-level cache, of which processors have 512 KiB to 2 MiB.
    private const long WideCacheBytes = 5 << 17;
    private const long CacheBytes = 1 << 19;

    // Fewer matrices leave most lanes of a batch empty.
    private const int LeastMatrices = 8;

    /// <summary>Lanes with which matrices of a shape are worked on here, 0 if this is no good place for them.</summary>
    /// <param name="matrices">Their number.</param>
    /// <param name="rows">Rows of each.</param>
    /// <param name="columns">Columns of each.</param>
    public static int LanesFor(long matrices, long rows, long columns)
    {
        if (matrices < LeastMatrices || Math.Max(rows, columns) > WideCacheBytes)
            return 0;
        bool Fits(int lanes, long bytes) => LaneMatrices.Bytes(rows, columns, lanes) <= bytes;
        return Vector512.IsHardwareAccelerated && Fits(SixteenLanes.Count, WideCacheBytes) ? SixteenLanes.Count
            : Vector256.IsHardwareAccelerated && Fits(EightLanes.Count, CacheBytes) ? EightLanes.Count
            : 0;
    }

    /// <summary>
    /// Brings the singular values of the matrices in all lanes towards 1. No entry may be larger than 1 or so; a zero matrix stays zero.
    /// </summary>
    /// <param name="matrices">The matrices, replaced by the result.</param>
    /// <param name="lanes">16, 8 or 1.</param>
    /// <param name="scheme">The polynomials.</param>
    public static void Run(LaneMatrices matrices, int lanes, NewtonSchulz scheme)
    {
        switch (lanes)
        {
            case 16:
                Run<SixteenLanes, Vector512<float>>(matrices, scheme);
                break;
            case 8:
                Run<EightLanes, Vector256<float>>(matrices, scheme);
                break;
            case 1:
                Run<OneLane, float>(matrices, scheme);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(lanes), lanes, $"There are no vectors of {lanes} lanes here.");
        }
    }

    private static void Run<S, V>(LaneMatrices matrices, NewtonSchulz scheme)
        where S : ILanes<V>
        where V : struct
    {
        var first = true;
        foreach (var rounds in (NewtonSchulz.Rounds[])[scheme.First, scheme.Second])
            for (var i = 0; i < rounds.Count; i++, first = false)
            {
                LaneProducts<S, V>.Gram(matrices.X, matrices.N, matrices.M, matrices.Gram);
                var (a, b, c) = (S.All((float)rounds.A), S.All((float)rounds.B), S.All((float)rounds.C));
                if (first)
                    (a, b, c) = Normalizing<S, V>(matrices, rounds);
                LaneProducts<S, V>.Polynomial(matrices.Gram, matrices.N, a, b, c, matrices.Polynomial);
                LaneProducts<S, V>.Product(matrices.Polynomial, matrices.X, matrices.N, matrices.M, matrices.Spare);
                matrices.Swap();
            }
    }

    /// <summary>
    /// Coefficients a s, b s³, c s⁵ of a first round that divides by the Frobenius norm as well, s = 1 / (‖X‖ + 1e-7). ‖X‖² is the trace of
    /// XXᵀ.
    /// </summary>
    private static (V A, V B, V C) Normalizing<S, V>(LaneMatrices matrices, NewtonSchulz.Rounds rounds)
        where S : ILanes<V>
        where V : struct
    {
        float* a = stackalloc float[S.Count],
            b = stackalloc float[S.Count],
            c = stackalloc float[S.Count];
        for (var lane = 0; lane < S.Count; lane++)
        {
            var squares = 0.0;
            for (var i = 0; i < matrices.N; i++)
                squares += matrices.Gram[((long)i * matrices.N + i) * S.Count + lane];
            var s = 1 / (Math.Sqrt(squares) + 1e-7);
            (a[lane], b[lane], c[lane]) = ((float)(rounds.A * s), (float)(rounds.B * s * s * s), (float)(rounds.C * s * s * s * s * s));
        }

        return (S.Load(a), S.Load(b), S.Load(c));
    }
}

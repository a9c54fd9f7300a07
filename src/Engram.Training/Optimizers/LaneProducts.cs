using System.Runtime.CompilerServices;

namespace Engram.Training.Optimizers;

// Shape letters: n rows, m columns of every matrix, both multiples of Tile   L lanes

/// <summary>
/// Products of many small matrices at once, a different matrix in each lane: element (i, j) of all of them is one vector at (i · m + j) ·
/// L. Tiles of 4 × 4 sums stay in registers, symmetric products compute half, and no width of a matrix is awkward for the vectors.
/// </summary>
internal static unsafe class LaneProducts<S, V>
    where S : ILanes<V>
    where V : struct
{
    /// <summary>G = X Xᵀ. x [n, m], g [n, n].</summary>
    public static void Gram(float* x, int n, int m, float* g)
    {
        for (var i = 0; i < n; i += LaneMatrices.Tile)
        {
            Diagonal(x + (long)i * m * S.Count, m * S.Count, m, g + (long)i * (n + 1) * S.Count, n * S.Count, null, default, default);
            for (var j = i + LaneMatrices.Tile; j < n; j += LaneMatrices.Tile)
                Tile(
                    x + (long)i * m * S.Count,
                    m * S.Count,
                    x + (long)j * m * S.Count,
                    m * S.Count,
                    S.Count,
                    m,
                    g + ((long)i * n + j) * S.Count,
                    n * S.Count,
                    g + ((long)j * n + i) * S.Count,
                    null,
                    default,
                    default
                );
        }
    }

    /// <summary>P = a I + b G + c G², for symmetric G. g, p [n, n]; a, b and c one vector each.</summary>
    public static void Polynomial(float* g, int n, V a, V b, V c, float* p)
    {
        var row = n * S.Count;
        for (var i = 0; i < n; i += LaneMatrices.Tile)
        {
            Diagonal(g + (long)i * row, row, n, p + (long)i * (row + S.Count), row, g + (long)i * (row + S.Count), b, c);
            for (var j = i + LaneMatrices.Tile; j < n; j += LaneMatrices.Tile)
                Tile(
                    g + (long)i * row,
                    row,
                    g + (long)j * row,
                    row,
                    S.Count,
                    n,
                    p + (long)i * row + j * S.Count,
                    row,
                    p + (long)j * row + i * S.Count,
                    g + (long)i * row + j * S.Count,
                    b,
                    c
                );
        }

        var one = S.All(1);
        for (var i = 0; i < n; i++)
        {
            var at = p + (long)i * (row + S.Count);
            S.Store(S.MultiplyAdd(one, a, S.Load(at)), at);
        }
    }

    /// <summary>Y = P X. p [n, n], x [n, m], y [n, m].</summary>
    public static void Product(float* p, float* x, int n, int m, float* y)
    {
        for (var i = 0; i < n; i += LaneMatrices.Tile)
        for (var j = 0; j < m; j += LaneMatrices.Tile)
            Tile(
                p + (long)i * n * S.Count,
                n * S.Count,
                x + (long)j * S.Count,
                S.Count,
                m * S.Count,
                n,
                y + ((long)i * m + j) * S.Count,
                m * S.Count,
                null,
                null,
                default,
                default
            );
    }

    /// <summary>
    /// Four rows of a, each from <paramref name="a"/> on by <paramref name="aRow"/>, times four columns of b, whose terms lie
    /// <paramref name="bTerm"/> apart; with <paramref name="g"/> (rows apart as in the target) c · product + b · g. Stored transposed too
    /// where there is a mirror.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(
        float* a,
        int aRow,
        float* b,
        int bColumn,
        int bTerm,
        int terms,
        float* target,
        int row,
        float* mirror,
        float* g,
        V byG,
        V byProduct
    )
    {
        V s00 = default,
            s01 = default,
            s02 = default,
            s03 = default,
            s10 = default,
            s11 = default,
            s12 = default,
            s13 = default;
        V s20 = default,
            s21 = default,
            s22 = default,
            s23 = default,
            s30 = default,
            s31 = default,
            s32 = default,
            s33 = default;
        float* a0 = a,
            a1 = a + aRow,
            a2 = a1 + aRow,
            a3 = a2 + aRow;
        float* b0 = b,
            b1 = b + bColumn,
            b2 = b1 + bColumn,
            b3 = b2 + bColumn;
        for (var k = 0; k < terms; k++)
        {
            V x0 = S.Load(a0),
                x1 = S.Load(a1),
                x2 = S.Load(a2),
                x3 = S.Load(a3);
            var y = S.Load(b0);
            s00 = S.MultiplyAdd(x0, y, s00);
            s10 = S.MultiplyAdd(x1, y, s10);
            s20 = S.MultiplyAdd(x2, y, s20);
            s30 = S.MultiplyAdd(x3, y, s30);
            y = S.Load(b1);
            s01 = S.MultiplyAdd(x0, y, s01);
            s11 = S.MultiplyAdd(x1, y, s11);
            s21 = S.MultiplyAdd(x2, y, s21);
            s31 = S.MultiplyAdd(x3, y, s31);
            y = S.Load(b2);
            s02 = S.MultiplyAdd(x0, y, s02);
            s12 = S.MultiplyAdd(x1, y, s12);
            s22 = S.MultiplyAdd(x2, y, s22);
            s32 = S.MultiplyAdd(x3, y, s32);
            y = S.Load(b3);
            s03 = S.MultiplyAdd(x0, y, s03);
            s13 = S.MultiplyAdd(x1, y, s13);
            s23 = S.MultiplyAdd(x2, y, s23);
            s33 = S.MultiplyAdd(x3, y, s33);
            a0 += S.Count;
            a1 += S.Count;
            a2 += S.Count;
            a3 += S.Count;
            b0 += bTerm;
            b1 += bTerm;
            b2 += bTerm;
            b3 += bTerm;
        }

        Row(s00, s01, s02, s03, target, mirror, row, g, byG, byProduct);
        Row(s10, s11, s12, s13, target + row, mirror == null ? null : mirror + S.Count, row, g == null ? null : g + row, byG, byProduct);
        Row(
            s20,
            s21,
            s22,
            s23,
            target + 2 * row,
            mirror == null ? null : mirror + 2 * S.Count,
            row,
            g == null ? null : g + 2 * row,
            byG,
            byProduct
        );
        Row(
            s30,
            s31,
            s32,
            s33,
            target + 3 * row,
            mirror == null ? null : mirror + 3 * S.Count,
            row,
            g == null ? null : g + 3 * row,
            byG,
            byProduct
        );
    }

    /// <summary>Four rows of a times themselves: ten sums of a symmetric tile on the diagonal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Diagonal(float* a, int aRow, int terms, float* target, int row, float* g, V byG, V byProduct)
    {
        V s00 = default,
            s01 = default,
            s02 = default,
            s03 = default,
            s11 = default,
            s12 = default,
            s13 = default,
            s22 = default,
            s23 = default,
            s33 = default;
        float* a0 = a,
            a1 = a + aRow,
            a2 = a1 + aRow,
            a3 = a2 + aRow;
        for (var k = 0; k < terms; k++)
        {
            V x0 = S.Load(a0),
                x1 = S.Load(a1),
                x2 = S.Load(a2),
                x3 = S.Load(a3);
            s00 = S.MultiplyAdd(x0, x0, s00);
            s01 = S.MultiplyAdd(x0, x1, s01);
            s02 = S.MultiplyAdd(x0, x2, s02);
            s03 = S.MultiplyAdd(x0, x3, s03);
            s11 = S.MultiplyAdd(x1, x1, s11);
            s12 = S.MultiplyAdd(x1, x2, s12);
            s13 = S.MultiplyAdd(x1, x3, s13);
            s22 = S.MultiplyAdd(x2, x2, s22);
            s23 = S.MultiplyAdd(x2, x3, s23);
            s33 = S.MultiplyAdd(x3, x3, s33);
            a0 += S.Count;
            a1 += S.Count;
            a2 += S.Count;
            a3 += S.Count;
        }

        Row(s00, s01, s02, s03, target, null, row, g, byG, byProduct);
        Row(s01, s11, s12, s13, target + row, null, row, g == null ? null : g + row, byG, byProduct);
        Row(s02, s12, s22, s23, target + 2 * row, null, row, g == null ? null : g + 2 * row, byG, byProduct);
        Row(s03, s13, s23, s33, target + 3 * row, null, row, g == null ? null : g + 3 * row, byG, byProduct);
    }

    /// <summary>Four sums of one row of a tile go to their place, and down a column of the mirrored tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(V s0, V s1, V s2, V s3, float* target, float* mirror, int row, float* g, V byG, V byProduct)
    {
        if (g != null)
        {
            s0 = S.MultiplyAdd(byProduct, s0, S.MultiplyAdd(byG, S.Load(g), default));
            s1 = S.MultiplyAdd(byProduct, s1, S.MultiplyAdd(byG, S.Load(g + S.Count), default));
            s2 = S.MultiplyAdd(byProduct, s2, S.MultiplyAdd(byG, S.Load(g + 2 * S.Count), default));
            s3 = S.MultiplyAdd(byProduct, s3, S.MultiplyAdd(byG, S.Load(g + 3 * S.Count), default));
        }

        S.Store(s0, target);
        S.Store(s1, target + S.Count);
        S.Store(s2, target + 2 * S.Count);
        S.Store(s3, target + 3 * S.Count);
        if (mirror == null)
            return;
        S.Store(s0, mirror);
        S.Store(s1, mirror + row);
        S.Store(s2, mirror + 2 * row);
        S.Store(s3, mirror + 3 * row);
    }
}

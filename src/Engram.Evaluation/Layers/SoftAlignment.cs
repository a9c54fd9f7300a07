namespace Engram.Evaluation.Layers;

/// <summary>
/// Which layer of one model the layers of another resemble (Engram paper, equation 9): a_j = Σ S_ij·i / Σ S_ij over the k rows i with the
/// largest similarity, layers counted from 0; of equal ones the lower first.
/// </summary>
public static class SoftAlignment
{
    /// <summary>The paper's k.</summary>
    public const int Nearest = 5;

    /// <summary>The aligned layer of every column.</summary>
    /// <param name="similarity">[M, N]: rows are layers of the model that is resembled.</param>
    /// <param name="nearest">k, at least 1; all rows where there are fewer.</param>
    public static double[] Of(double[,] similarity, int nearest = Nearest)
    {
        ArgumentNullException.ThrowIfNull(similarity);
        ArgumentOutOfRangeException.ThrowIfLessThan(nearest, 1);
        var aligned = new double[similarity.GetLength(1)];
        for (var j = 0; j < aligned.Length; j++)
        {
            var column = j;
            var best = Enumerable
                .Range(0, similarity.GetLength(0))
                .OrderByDescending(i => similarity[i, column])
                .ThenBy(i => i)
                .Take(nearest)
                .ToArray();
            aligned[j] = best.Sum(i => similarity[i, column] * i) / best.Sum(i => similarity[i, column]);
        }

        return aligned;
    }
}

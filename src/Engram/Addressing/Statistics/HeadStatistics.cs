namespace Engram.Addressing.Statistics;

/// <summary>One head's segment of a table: P rows that D distinct n-grams of one order are hashed to.</summary>
/// <param name="Order">n, from 2.</param>
/// <param name="Head">0 to K − 1.</param>
/// <param name="Rows">P, a prime.</param>
/// <param name="RowsTouched">Rows that at least one n-gram reads.</param>
/// <param name="DistinctNgrams">D, the same for all heads of an order.</param>
/// <param name="SquaredNgrams">Sum over the rows of the squared number of distinct n-grams that read each.</param>
/// <param name="CollidingNgrams">Distinct n-grams that share their row with another distinct n-gram.</param>
/// <param name="CollidingLookups">Look-ups of those n-grams: reads of rows that belong to several n-grams.</param>
/// <param name="Lookups">All look-ups, one per position.</param>
public sealed record HeadStatistics(
    int Order,
    int Head,
    long Rows,
    long RowsTouched,
    long DistinctNgrams,
    long SquaredNgrams,
    long CollidingNgrams,
    long CollidingLookups,
    long Lookups
)
{
    /// <summary>Share of the distinct n-grams that share their row with another.</summary>
    public double CollisionRate => (double)CollidingNgrams / DistinctNgrams;

    /// <summary>Share of the look-ups that read a row of several n-grams: the collision rate weighted by traffic.</summary>
    public double LookupCollisionRate => (double)CollidingLookups / Lookups;

    /// <summary>Distinct n-grams per touched row.</summary>
    public double NgramsPerTouchedRow => (double)DistinctNgrams / RowsTouched;

    /// <summary>
    /// Expected <see cref="CollisionRate"/>, and as well <see cref="LookupCollisionRate"/>, of a uniform hash: 1 − (1 − 1/P)^(D − 1).
    /// </summary>
    public double ExpectedCollisionRate => Touched(DistinctNgrams - 1);

    /// <summary>Expected <see cref="RowsTouched"/> of a uniform hash: P·(1 − (1 − 1/P)^D).</summary>
    public double ExpectedRowsTouched => Rows * Touched(DistinctNgrams);

    /// <summary>
    /// By how many standard deviations the spread of n-grams over rows exceeds that of a uniform hash: beyond about +3 some rows are
    /// favoured, below −3 it is more even than chance. Pearson's χ² = P/D·Σ nᵢ² − D has the mean P − 1 and the variance 2·(P − 1)·(D − 1)/D
    /// when every n-gram draws its row at random. 0 for a single n-gram.
    /// </summary>
    public double DeviationFromUniform
    {
        get
        {
            if (DistinctNgrams < 2)
                return 0;
            var chiSquare = (double)Rows / DistinctNgrams * SquaredNgrams - DistinctNgrams;
            return (chiSquare - (Rows - 1)) / Math.Sqrt(2.0 * (Rows - 1) * (DistinctNgrams - 1) / DistinctNgrams);
        }
    }

    // 1 − (1 − 1/P)^n without the cancellation of the plain formula.
    private double Touched(long ngrams)
    {
        var exponent = ngrams * LogOfOnePlus(-1.0 / Rows);
        return Math.Abs(exponent) < 1e-5 ? -exponent * (1 + exponent / 2) : 1 - Math.Exp(exponent);
    }

    // Six terms are exact to double precision below 1/256.
    private static double LogOfOnePlus(double x) =>
        Math.Abs(x) > 1.0 / 256
            ? Math.Log(1 + x)
            : x * (1 - x * (1.0 / 2 - x * (1.0 / 3 - x * (1.0 / 4 - x * (1.0 / 5 - x * (1.0 / 6 - x / 7))))));
}

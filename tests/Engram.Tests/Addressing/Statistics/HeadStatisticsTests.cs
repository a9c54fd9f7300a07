using Engram.Addressing.Statistics;

namespace Engram.Tests.Addressing.Statistics;

public sealed class HeadStatisticsTests
{
    /// <summary>Expected values against balls thrown at random: at most three standard errors of the mean of 400 throws apart.</summary>
    [Theory]
    [InlineData(1009, 100)]
    [InlineData(1009, 1000)]
    [InlineData(211, 900)]
    public void Expectations_AreThoseOfBallsInBins(int rows, int ngrams)
    {
        const int throws = 400;
        var random = new Random(3);
        double touched = 0,
            colliding = 0,
            squares = 0;
        var formula = new HeadStatistics(2, 0, rows, 1, ngrams, 0, 0, 0, ngrams);
        for (var i = 0; i < throws; i++)
        {
            var bins = new int[rows];
            for (var ball = 0; ball < ngrams; ball++)
                bins[random.Next(rows)]++;
            touched += bins.Count(bin => bin > 0);
            colliding += bins.Where(bin => bin > 1).Sum();
            var z = (formula with { SquaredNgrams = bins.Sum(bin => (long)bin * bin) }).DeviationFromUniform;
            squares += z * z;
        }
        var deviation = Math.Sqrt(rows * 0.25); // of one throw, at most
        Assert.Equal(formula.ExpectedRowsTouched, touched / throws, 3 * deviation / Math.Sqrt(throws));
        Assert.Equal(formula.ExpectedCollisionRate, colliding / throws / ngrams, 3 * 2 * deviation / Math.Sqrt(throws) / ngrams);
        // A variance of 1, estimated from 400 squares.
        Assert.Equal(1, squares / throws, 3 * Math.Sqrt(2.0 / throws) + 0.05);
    }

    [Fact]
    public void LargeSegments_LoseNoDigits()
    {
        var head = new HeadStatistics(2, 0, 1_000_000_000_039, 2, 2, 2, 0, 0, 2);
        Assert.Equal(1e-12, head.ExpectedCollisionRate, 1e-22);
        Assert.Equal(2, head.ExpectedRowsTouched, 1e-9);
        Assert.Equal(0, head.DeviationFromUniform, 1e-5);
    }

    [Fact]
    public void Rates_AreTheirQuotients()
    {
        var head = new HeadStatistics(3, 1, 100, 40, 50, 70, 20, 300, 600);
        Assert.Equal((0.4, 0.5, 1.25), (head.CollisionRate, head.LookupCollisionRate, head.NgramsPerTouchedRow));
    }
}

using Engram.Studies.Statistics;

namespace Engram.Torch.Tests.Studies;

public sealed class PolynomialFitTests
{
    [Fact]
    public void Parabola_ThatPassesThroughItsPoints_HasItsMinimum()
    {
        double[] x = [0, 25, 50, 75, 100];
        var fit = PolynomialFit.Of(x, [.. x.Select(at => 1.7 + (2e-5 * (at - 72.5) * (at - 72.5)))], degree: 2);

        Assert.Equal(72.5, fit.Minimum()!.Value, 1e-9);
        Assert.Equal(1, fit.R2, 1e-12);
        Assert.Equal(1.7, fit.At(72.5), 1e-12);
    }

    [Fact]
    public void Line_HasSlopeAndR2_OfTheClosedForm()
    {
        // y = x ± e at −1 and 1: residuals 4e², total variance 4 + 4e².
        const double e = 0.1;
        var fit = PolynomialFit.Of([-1, -1, 1, 1], [-1 - e, -1 + e, 1 - e, 1 + e], degree: 1);

        Assert.Equal(1, fit.Coefficients[1], 1e-12);
        Assert.Equal(1 - (e * e / (1 + (e * e))), fit.R2, 1e-12);
    }

    [Fact]
    public void PublishedPoints_GiveThePublishedFits()
    {
        // Figure 3 right: 1.9417 − 0.0284 log₁₀ M; Figure 3 left: minima at 72.5 and 73.8 %.
        var memory = Engram.Studies.Definitions.StudyLibrary.Paper("infinite-memory").Series[0];
        var line = PolynomialFit.Of([.. memory.X.Select(Math.Log10)], memory.Y, degree: 1);
        Assert.Equal(-0.0284, line.Coefficients[1], 2e-4);
        Assert.Equal(1.9417, line.At(0), 1e-3);

        var minima = Engram
            .Studies.Definitions.StudyLibrary.Paper("allocation")
            .Series.Select(series => PolynomialFit.Of(series.X, series.Y, degree: 2).Minimum()!.Value)
            .ToList();
        Assert.Equal(72.5, minima[0], 1.5);
        Assert.Equal(73.8, minima[1], 1.5);
    }

    [Fact]
    public void ParabolaThatOpensDownwards_HasNoMinimum() => Assert.Null(PolynomialFit.Of([0, 1, 2], [0, 1, 0], degree: 2).Minimum());

    [Fact]
    public void TooFewPositions_AreRefused() =>
        Assert.Contains(
            "needs 3 different positions",
            Assert.Throws<ArgumentException>(() => PolynomialFit.Of([1, 1, 2], [1, 2, 3], degree: 2)).Message
        );
}

using Engram.Studies.Statistics;

namespace Engram.Torch.Tests.Studies;

public sealed class SeedStatisticsTests
{
    [Fact]
    public void Of_ThreeValues_IsTheHandComputedSummary()
    {
        // Deviations from the mean 4: -2, 0, 2; their squares sum to 8, divided by 3 - 1 that is 4.
        var statistics = SeedStatistics.Of([2, 4, 6]);

        Assert.Equal(new SeedStatistics(4, 2), statistics);
    }

    [Fact]
    public void Of_OneValue_HasNoDeviation() => Assert.Equal(new SeedStatistics(3, null), SeedStatistics.Of([3]));

    [Fact]
    public void Of_NoValue_IsRefused() => Assert.Throws<ArgumentException>(() => SeedStatistics.Of([]));

    [Fact]
    public void PairedDifference_IsTakenSeedBySeed()
    {
        // The losses scatter by 2 between seeds, the differences only by 0.25: -0.75, -0.5, -0.25.
        var difference = PairedDifference.Of("engram", [2.25, 3.5, 4.75], "moe", [3, 4, 5]);

        Assert.Equal([-0.75, -0.5, -0.25], difference.PerSeed);
        Assert.Equal((-0.5, 0.25), (difference.Mean, difference.StandardDeviation));
    }

    [Fact]
    public void PairedDifference_OfOtherNumbersOfSeeds_IsRefused()
    {
        var error = Assert.Throws<ArgumentException>(() => PairedDifference.Of("engram", [1, 2], "moe", [1]));

        Assert.Contains("engram has 2 seeds, moe has 1", error.Message);
    }
}

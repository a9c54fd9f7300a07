using Engram.Models.Recipes;
using Engram.Training.Optimizers;

namespace Engram.Torch.Tests.Optimizers;

public class LearningRateScheduleTests
{
    [Theory]
    [InlineData(1, 2e-7), InlineData(1000, 2e-4), InlineData(2000, 4e-4), InlineData(40_000, 4e-4), InlineData(40_001, 1.264e-4)]
    [InlineData(45_000, 1.264e-4), InlineData(45_001, 4e-5), InlineData(50_000, 4e-5), InlineData(60_000, 4e-5)]
    public void The_papers_schedule(long update, double expected) =>
        Assert.Equal(expected, new LearningRateSchedule { Base = 4e-4, Updates = 50_000 }.At(update), 1e-15);

    [Theory]
    [
        InlineData(1, 6e-4),
        InlineData(10, 6e-3),
        InlineData(100, 6e-3),
        InlineData(101, 6e-3 * (1 - 0.95 * 0.01)),
        InlineData(150, 6e-3 * 0.525),
        InlineData(200, 3e-4),
        InlineData(201, 3e-4)
    ]
    public void Warm_up_stable_decay(long update, double expected) =>
        Assert.Equal(
            expected,
            new LearningRateSchedule
            {
                Base = 6e-3,
                Updates = 200,
                WarmUp = 10,
                Decay = LearningRateDecay.Linear,
            }.At(update),
            1e-15
        );

    [Fact]
    public void The_steps_fall_where_whole_numbers_say()
    {
        // 0.8 · 35 is 28.000000000000004 in binary floating point.
        foreach (var updates in (long[])[10, 35, 70, 1_000_000_000_000])
        {
            var schedule = new LearningRateSchedule
            {
                Base = 1,
                Updates = updates,
                WarmUp = 0,
            };
            Assert.Equal(
                [1, 0.316, 0.316, 0.1],
                new[] { updates * 8 / 10, updates * 8 / 10 + 1, updates * 9 / 10, updates * 9 / 10 + 1 }.Select(schedule.At)
            );
        }
    }

    [Fact]
    public void Updates_count_from_one() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new LearningRateSchedule { Base = 1, Updates = 10 }.At(0));
}

using Engram.Models.Recipes;

namespace Engram.Training.Optimizers;

/// <summary>
/// The learning rate of every update of a run: a linear warm-up, a plateau, a decay. A pure function of the update's number.
/// </summary>
public sealed record LearningRateSchedule
{
    // A linear decay begins at this share of the updates, and ends at this share of the base with the last of them.
    private const double LinearStart = 0.5;
    private const double LinearEnd = 0.05;

    /// <summary>Learning rate of the plateau.</summary>
    /// <value>Positive. The paper's backbone has 4e-4; its tables take five times the schedule.</value>
    public required double Base { get; init; }

    /// <summary>Updates of the whole run.</summary>
    /// <value>At least 1.</value>
    public required long Updates { get; init; }

    /// <summary>Updates until the plateau is reached; update u has base × u / this.</summary>
    /// <value>At least 0. Default 2000.</value>
    public long WarmUp { get; init; } = 2000;

    /// <summary>Form of the decay.</summary>
    /// <value>Default <see cref="LearningRateDecay.Steps"/>.</value>
    public LearningRateDecay Decay { get; init; } = LearningRateDecay.Steps;

    /// <summary>The learning rate of an update. Beyond the last update the rate stays where it is.</summary>
    /// <param name="update">Number of the update, from 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public double At(long update)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(update, 1);
        var warmUp = WarmUp == 0 ? 1 : Math.Min(1, (double)update / WarmUp);
        return Base * warmUp * (Decay == LearningRateDecay.Steps ? StepFactor(update) : LinearFactor(update));
    }

    // In whole numbers: 0.8 · U and 0.9 · U are no exact fractions in binary.
    private double StepFactor(long update) =>
        checked(10 * update) > checked(9 * Updates) ? 0.1
        : 10 * update > 8 * Updates ? 0.316
        : 1;

    private double LinearFactor(long update)
    {
        var start = Math.Floor(LinearStart * Updates);
        if (update <= start)
            return 1;
        return 1 - (1 - LinearEnd) * Math.Min(1, (update - start) / (Updates - start));
    }
}

namespace Engram.Training;

/// <summary>
/// Tells a loss that has exploded from one that jumps: a model that guesses uniformly has a loss of ln V, and one that stays far above that
/// for many updates in a row has been thrown where it does not come back from. A single update says little: over a small batch a healthy
/// model may meet a few tokens that it thought impossible.
/// </summary>
/// <param name="vocabulary">V.</param>
/// <param name="options">Updates and warm-up of the run.</param>
internal sealed class LossWatch(int vocabulary, TrainingOptions options)
{
    /// <summary>Nats above a uniform guess that no healthy model has for long.</summary>
    public const double Margin = 1;

    /// <summary>The same while the rate still rises.</summary>
    public const double MarginInWarmUp = 5;

    /// <summary>Updates in a row that make a loss exploded.</summary>
    public const int MostPatience = 10;

    /// <summary>
    /// Updates in a row above the limit that end this run: <see cref="MostPatience"/>, or half the updates of a shorter run, rounded down,
    /// but at least one.
    /// </summary>
    public int Patience { get; } = (int)Math.Clamp(options.Steps / 2, 1, MostPatience);

    /// <summary>Updates in a row above the limit so far.</summary>
    public int Above { get; private set; }

    /// <summary>Whether the loss has exploded.</summary>
    public bool Exploded => Above >= Patience;

    /// <summary>Largest loss of an update that counts as healthy.</summary>
    public double Limit(long update) => Math.Log(vocabulary) + (update > options.LearningRates.WarmUp ? Margin : MarginInWarmUp);

    /// <summary>Takes the loss of the next update.</summary>
    public void Add(long update, double loss) => Above = loss > Limit(update) ? Above + 1 : 0;
}

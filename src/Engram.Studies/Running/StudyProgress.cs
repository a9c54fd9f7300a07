namespace Engram.Studies.Running;

/// <summary>How far a call has come.</summary>
/// <param name="Activity">What is being done, in words.</param>
/// <param name="Done">Models that are trained and measured.</param>
/// <param name="Total">Models altogether.</param>
/// <param name="Running">Those at work, in words.</param>
/// <param name="Elapsed">Time since the start.</param>
/// <param name="Remaining">Estimated time to the end; null while unknown.</param>
public sealed record StudyProgress(
    string Activity,
    int Done,
    int Total,
    IReadOnlyList<string> Running,
    TimeSpan Elapsed,
    TimeSpan? Remaining
);

/// <summary>A trained model of a study.</summary>
/// <param name="Setting">Its setting.</param>
/// <param name="Arm">Its arm.</param>
/// <param name="Seed">Its seed.</param>
/// <param name="Run">The folder of its run; the model is <c>model</c> in it.</param>
public sealed record TrainedModel(string Setting, string Arm, long Seed, string Run);

/// <summary>What a call did.</summary>
/// <param name="Trained">Models that were trained and measured now.</param>
/// <param name="Reused">Models whose rows had been there.</param>
/// <param name="Failures">What went wrong, one entry for each model that failed.</param>
public sealed record StudyOutcome(int Trained, int Reused, IReadOnlyList<string> Failures);

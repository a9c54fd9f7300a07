namespace Engram.Studies.Quickstart;

/// <summary>What an arm is doing.</summary>
public enum ArmState
{
    /// <summary>Waits for a free core.</summary>
    Waiting,

    /// <summary>Is being trained.</summary>
    Running,

    /// <summary>Was trained just now.</summary>
    Finished,

    /// <summary>Had been trained before.</summary>
    Reused,
}

/// <summary>How far one arm has come.</summary>
/// <param name="Seed">Its seed.</param>
/// <param name="Arm">Its name.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Step">Updates done.</param>
/// <param name="Steps">Updates of the whole run.</param>
/// <param name="Loss">Mean training loss of the last updates, nats; null before the first.</param>
/// <param name="ValidationLoss">Newest validation loss, nats; null before the first.</param>
/// <param name="TokensPerSecond">Speed of the last updates; null before the first.</param>
/// <param name="Remaining">Estimated time to its end, once it runs.</param>
public sealed record ArmProgress(
    long Seed,
    string Arm,
    ArmState State,
    long Step,
    long Steps,
    double? Loss,
    double? ValidationLoss,
    double? TokensPerSecond,
    TimeSpan? Remaining
);

/// <summary>How far a quickstart has come.</summary>
/// <param name="Activity">What is being done, in words.</param>
/// <param name="Arms">All runs, in the order they are started.</param>
/// <param name="Elapsed">Time since the start.</param>
/// <param name="Remaining">Estimated time until all arms are trained; null while unknown.</param>
public sealed record QuickstartProgress(string Activity, IReadOnlyList<ArmProgress> Arms, TimeSpan Elapsed, TimeSpan? Remaining);

using Engram.Studies.Measures;
using Engram.Studies.Planning;
using Engram.Studies.Results;

namespace Engram.Studies.Running;

/// <summary>One model to be trained and measured, for all studies of the call that want the same.</summary>
/// <param name="inputs">Hash of all that decides about it.</param>
/// <param name="runs">What it is in each study; at least one.</param>
/// <param name="data">The name of a run's text.</param>
internal sealed class StudyJob(string inputs, IReadOnlyList<PlannedRun> runs, Func<PlannedRun, string> data)
{
    /// <summary>Hash of all that decides about it.</summary>
    public string Inputs => inputs;

    /// <summary>What it is in each study.</summary>
    public IReadOnlyList<PlannedRun> Runs => runs;

    /// <summary>One of them: training does not depend on which.</summary>
    public PlannedRun First => runs[0];

    /// <summary>About how long it takes with one thread, seconds.</summary>
    public double Seconds { get; } = StudyPlan.Seconds(runs[0]);

    /// <summary>What it is doing: written by the task that works on it, read by the one that reports.</summary>
    public volatile JobState State = JobState.Waiting;

    /// <summary>The hash in the rows of a measure.</summary>
    public string InputsOf(PlannedRun run, Measure measure) =>
        measure.Compares && run.Reference is not null ? RunInputs.OfPair(run, data(run)) : Measure.InputsOf(measure.Last, inputs);

    /// <summary>The measures that are still to be taken.</summary>
    /// <param name="rows">What is there, by study, arm and seed.</param>
    public IEnumerable<(PlannedRun Run, Measure Measure)> Missing(ILookup<(string, string, string, long), Measurement> rows) =>
        from run in runs
        let there = rows[(run.Study.Name, run.Size, run.RowArm, run.Seed)]
        from measure in Measure.Of(run)
        where !there.Any(row => row.Measure == measure.Last && row.Inputs == InputsOf(run, measure))
        select (run, measure);
}

/// <summary>What a job is doing.</summary>
public enum JobState
{
    /// <summary>Waits for a free process.</summary>
    Waiting,

    /// <summary>Is being trained.</summary>
    Training,

    /// <summary>Is being measured.</summary>
    Measuring,

    /// <summary>Was finished just now.</summary>
    Finished,

    /// <summary>All its rows had been there.</summary>
    Reused,

    /// <summary>Failed; the others went on.</summary>
    Failed,
}

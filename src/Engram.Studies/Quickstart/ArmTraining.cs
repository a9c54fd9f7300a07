using System.Diagnostics;
using Engram.Studies.Processes;
using Engram.Studies.Runs;
using Engram.Training;

namespace Engram.Studies.Quickstart;

/// <summary>
/// Trains the arms of all seeds, each in a process of its own with one thread: tensors of this size are too small to share among threads,
/// and processes side by side use the cores nearly twice as well.
/// </summary>
/// <param name="study">What is trained.</param>
/// <param name="folder">Where.</param>
/// <param name="command">How the processes are started.</param>
internal sealed class ArmTraining(QuickstartStudy study, QuickstartFolder folder, EngramCommand command)
{
    // A process of this study stays below it, libtorch included.
    private const long BytesPerProcess = 1L << 30;
    private const int SmoothedUpdates = 20;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly Stopwatch _clock = Stopwatch.StartNew();

    /// <summary>Trains what is not yet trained.</summary>
    /// <param name="seeds">One run of every arm for each.</param>
    /// <param name="progress">Told about twice a second.</param>
    /// <param name="cancellation">Ends the processes; what they had done is continued by the next call.</param>
    /// <returns>How many runs had been finished before.</returns>
    /// <exception cref="ChildProcessException">A run failed. The others have been ended and can be continued.</exception>
    public async Task<int> RunAsync(IReadOnlyList<long> seeds, IProgress<QuickstartProgress>? progress, CancellationToken cancellation)
    {
        var runs = seeds.SelectMany(seed => study.LongestFirst.Select(arm => new Run(seed, arm, folder.Run(seed, arm)))).ToList();
        foreach (var run in runs.Where(run => TrainingResult.Read(run.Folder) is not null))
            run.State = ArmState.Reused;
        var reused = runs.Count(run => run.State == ArmState.Reused);
        if (reused == runs.Count)
            return reused;

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var reports = ReportAsync(runs, progress, ended.Token);
        try
        {
            await Parallel.ForEachAsync(
                runs.Where(run => run.State == ArmState.Waiting),
                new ParallelOptions { MaxDegreeOfParallelism = Processes, CancellationToken = cancellation },
                async (run, stop) => await TrainAsync(run, stop)
            );
        }
        finally
        {
            await ended.CancelAsync();
            await reports;
        }
        progress?.Report(Progress(runs));
        return reused;
    }

    /// <summary>How many run at a time on this machine.</summary>
    internal static int Processes =>
        (int)Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / BytesPerProcess, 1, Environment.ProcessorCount);

    private async ValueTask TrainAsync(Run run, CancellationToken stop)
    {
        Trainer.Begin(run.Arm.Configuration, study.Training with { Seed = run.Seed, Threads = 1 }, run.Folder);
        run.State = ArmState.Running;
        string[] arguments = ["train", "--resume", "--run", run.Folder, "--data", folder.Data, "--threads", "1"];
        await ChildProcess.RunAsync($"Training {run.Arm.Name} (seed {run.Seed})", command, arguments, folder.Log(run.Seed, run.Arm), stop);
        run.State = ArmState.Finished;
    }

    private async Task ReportAsync(List<Run> runs, IProgress<QuickstartProgress>? progress, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(ended))
                progress?.Report(Progress(runs));
        }
        catch (OperationCanceledException) { }
    }

    private QuickstartProgress Progress(List<Run> runs)
    {
        List<ArmProgress> arms = [.. runs.Select(Progress)];
        var speeds = arms.Where(arm => arm.State != ArmState.Reused && arm.TokensPerSecond is not null)
            .Select(arm => arm.TokensPerSecond!.Value)
            .ToList();
        TimeSpan? remaining = null;
        if (speeds.Count > 0)
        {
            var tokens = arms.Where(arm => arm.State is ArmState.Waiting or ArmState.Running)
                .Sum(arm => (arm.Steps - arm.Step) * study.Training.TokensPerStep);
            var active = arms.Count(arm => arm.State is ArmState.Waiting or ArmState.Running);
            remaining = TimeSpan.FromSeconds(tokens / speeds.Average() / Math.Clamp(active, 1, Processes));
        }
        return new QuickstartProgress("training", arms, _clock.Elapsed, remaining);
    }

    private ArmProgress Progress(Run run)
    {
        if (run.State == ArmState.Waiting)
            return new ArmProgress(run.Seed, run.Arm.Name, run.State, 0, study.Training.Steps, null, null, null, null);
        var curve = TrainingCurve.Read(run.Folder);
        var step = curve.Training.LastOrDefault()?.Step ?? 0;
        var last = curve.Training.TakeLast(SmoothedUpdates).ToList();
        double? loss = last.Count > 0 ? last.Average(point => point.Loss) : null,
            speed = last.Count > 0 ? last.Average(point => point.TokensPerSecond) : null;
        TimeSpan? remaining =
            run.State == ArmState.Running && speed > 0
                ? TimeSpan.FromSeconds((study.Training.Steps - step) * study.Training.TokensPerStep / speed.Value)
                : null;
        return new ArmProgress(
            run.Seed,
            run.Arm.Name,
            run.State,
            step,
            study.Training.Steps,
            loss,
            curve.Validation.LastOrDefault()?.Loss,
            speed,
            remaining
        );
    }

    private sealed class Run(long seed, QuickstartArm arm, string folder)
    {
        public long Seed => seed;

        public QuickstartArm Arm => arm;

        public string Folder => folder;

        // Written by the task that trains it, read by the one that reports.
        public volatile ArmState State = ArmState.Waiting;
    }
}

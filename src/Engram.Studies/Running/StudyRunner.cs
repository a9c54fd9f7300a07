using System.Collections.Concurrent;
using System.Diagnostics;
using Engram.Corpora;
using Engram.Studies.Definitions;
using Engram.Studies.Measures;
using Engram.Studies.Planning;
using Engram.Studies.Processes;
using Engram.Studies.Rows;
using Engram.Studies.Runs;
using Engram.Torch.Native;
using Engram.Training;

namespace Engram.Studies.Running;

/// <summary>
/// Runs studies: prepares their texts, trains what is not yet trained, each model in a process of its own, measures it, and appends the
/// rows. Nothing is done twice while
/// the inputs of a run are the same, whichever study asked for it first, and whatever interrupts a call, the next one goes on from there.
/// </summary>
public sealed class StudyRunner
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly IReadOnlyList<StudyPlan> _plans;
    private readonly StudyFolders _folders;
    private readonly StudyCorpora _corpora;
    private readonly EngramCommand _command;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _writing = new();
    private readonly ConcurrentQueue<string> _failures = [];
    private readonly ConcurrentDictionary<string, Lazy<Task>> _training = [];

    /// <summary>Plans the studies.</summary>
    /// <param name="studies">What to run.</param>
    /// <param name="size">At which size.</param>
    /// <param name="folders">Where.</param>
    /// <param name="corpora">Their texts; stays the caller's.</param>
    /// <param name="command">How processes of this program are started.</param>
    /// <exception cref="InvalidDataException">A definition contradicts itself, or arms differ in what they claim is equal.</exception>
    public StudyRunner(IReadOnlyList<Study> studies, StudySize size, StudyFolders folders, StudyCorpora corpora, EngramCommand command) =>
        (_plans, _folders, _corpora, _command) = (
            [.. studies.Select(study => StudyPlan.Of(study, size).Checked())],
            folders,
            corpora,
            command
        );

    /// <summary>Which part of the models is done here.</summary>
    public StudySlice Slice { get; init; } = StudySlice.Whole;

    /// <summary>Models at work at the same time; null for one per core.</summary>
    public int? Processes { get; init; }

    /// <summary>Threads of one process. Models of the smaller sizes are fastest with one each.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Runs what is not yet done.</summary>
    /// <param name="progress">Told about once a second.</param>
    /// <param name="cancellation">Ends everything, processes included; nothing finished is lost.</param>
    /// <exception cref="ArgumentException">A study reads the user's text, and none was named.</exception>
    /// <exception cref="IOException">A folder cannot be written.</exception>
    public StudyOutcome Run(IProgress<StudyProgress>? progress, CancellationToken cancellation)
    {
        progress?.Report(new StudyProgress("reading the texts", 0, 0, [], _clock.Elapsed, null));
        var jobs = Jobs();
        var rows = Rows();
        foreach (var job in jobs.Where(job => !job.Missing(rows).Any()))
            job.State = JobState.Reused;
        var open = jobs.Where(job => job.State == JobState.Waiting).ToList();
        if (open.Count > 0)
            Work(jobs, open, rows, progress, cancellation);
        foreach (var study in _plans.Select(plan => plan.Study.Name))
            if (Slice.Count == 1 && _folders.RowFiles(study).Count > 0)
                MeasurementFile.WriteSorted(_folders.Rows(study), WithoutStale(study, jobs));
        return new StudyOutcome(
            jobs.Count(job => job.State == JobState.Finished),
            jobs.Count(job => job.State == JobState.Reused),
            [.. _failures]
        );
    }

    private List<StudyJob> Jobs()
    {
        var jobs = _plans.SelectMany(plan => plan.Runs).GroupBy(Inputs).Select(runs => new StudyJob(runs.Key, [.. runs])).ToList();
        // The longest are dealt out first, so that slices take about the same time; each slice then keeps the order of the plan. What goes
        // on from a model stays with it.
        var mine = jobs.GroupBy(job => Inputs(job.First.Start ?? job.First))
            .OrderByDescending(chain => chain.Sum(job => job.Seconds))
            .ThenBy(chain => chain.Key, StringComparer.Ordinal)
            .Where((_, place) => place % Slice.Count == Slice.Index - 1)
            .SelectMany(chain => chain)
            .ToHashSet();
        return [.. jobs.Where(mine.Contains)];
    }

    private string Inputs(PlannedRun run) => RunInputs.Hash(RunInputs.Describe(run, _corpora.Identity(run.Corpus)));

    private ILookup<(string, string, string, long), Measurement> Rows() =>
        _plans
            .SelectMany(plan => _folders.RowFiles(plan.Study.Name).Append(_folders.Timings(plan.Study.Name)))
            .SelectMany(MeasurementFile.Read)
            .ToLookup(row => (row.Study, row.Size, row.Arm, row.Seed));

    private void Work(
        List<StudyJob> jobs,
        List<StudyJob> open,
        ILookup<(string, string, string, long), Measurement> rows,
        IProgress<StudyProgress>? progress,
        CancellationToken cancellation
    )
    {
        foreach (var corpus in open.Select(job => job.First.Corpus).Distinct())
            _ = _corpora.Open(corpus, new PreparationReports(progress, _clock), cancellation);
        // The texts are garbage now, and nothing allocates here while models are trained.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        ThreadSettings.IntraOperation = Threads;
        WorkAsync(jobs, open, rows, progress, cancellation).GetAwaiter().GetResult();
    }

    private async Task WorkAsync(
        List<StudyJob> jobs,
        List<StudyJob> open,
        ILookup<(string, string, string, long), Measurement> rows,
        IProgress<StudyProgress>? progress,
        CancellationToken cancellation
    )
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var reports = ReportAsync(jobs, progress, ended.Token);
        try
        {
            await Parallel.ForEachAsync(
                open,
                new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation },
                async (job, stop) => await DoAsync(job, rows, stop)
            );
        }
        finally
        {
            await ended.CancelAsync();
            await reports;
        }
    }

    private int AtOnce => Processes ?? Math.Max(1, Environment.ProcessorCount / Threads);

    private async ValueTask DoAsync(StudyJob job, ILookup<(string, string, string, long), Measurement> rows, CancellationToken stop)
    {
        try
        {
            await TrainAsync(job, stop);
            job.State = JobState.Measuring;
            MeasureAll(job, rows, stop);
            job.State = JobState.Finished;
        }
        catch (ChildProcessException error)
        {
            // One model that fails must not cost the others; what was wrong stays in its log and in the outcome.
            job.State = JobState.Failed;
            _failures.Enqueue($"{error.Message}: {string.Join(" ", error.Tail.TakeLast(1))}");
        }
    }

    private async Task TrainAsync(StudyJob job, CancellationToken stop)
    {
        if (job.First.Start is { } start)
            await TrainedAsync(start, stop);
        job.State = JobState.Training;
        await TrainedAsync(job.First, stop);
    }

    /// <summary>Trains a model unless that was done, or is being done for another job.</summary>
    private Task TrainedAsync(PlannedRun run, CancellationToken stop) =>
        _training.GetOrAdd(Inputs(run), inputs => new Lazy<Task>(() => TrainOnceAsync(run, inputs, stop))).Value;

    private async Task TrainOnceAsync(PlannedRun run, string inputs, CancellationToken stop)
    {
        var folder = _folders.Run(inputs);
        if (TrainingResult.Read(folder) is not null)
            return;
        // Begun earlier, it goes on with what it began with: the hash says that the result is the same.
        var begun = File.Exists(Path.Combine(folder, "train.json"));
        if (!begun && run.Start is null)
            Trainer.Begin(run.Configuration, run.Options with { Threads = Threads }, folder);
        Directory.CreateDirectory(_folders.Logs);
        await ChildProcess.RunAsync(
            $"Training {Name(run)}",
            _command,
            [
                "train",
                .. begun || run.Start is null ? (string[])["--resume"] : From(run, run.Start),
                "--run",
                folder,
                "--data",
                _corpora.Folder(run.Corpus),
                "--threads",
                $"{Threads}",
            ],
            _folders.Log(inputs),
            stop
        );
    }

    /// <summary>How the command is told to begin with another run's model and a longer context.</summary>
    private IEnumerable<string> From(PlannedRun run, PlannedRun start)
    {
        (string Option, object Value)[] options =
        [
            ("--init", Path.Combine(_folders.Run(Inputs(start)), "model")),
            ("--extend-context", run.Options.Length),
            ("--original-context", start.Options.Length),
            ("--length", run.Options.Length),
            ("--sequences", run.Options.Sequences),
            ("--steps", run.Options.Steps),
            ("--learning-rate", run.Options.LearningRate),
            ("--seed", run.Options.Seed),
            ("--validation-sequences", run.Options.ValidationSequences),
            ("--checkpoint-every", run.Options.CheckpointEvery),
        ];
        return options.SelectMany(option => (string[])[option.Option, FormattableString.Invariant($"{option.Value}")]);
    }

    private void MeasureAll(StudyJob job, ILookup<(string, string, string, long), Measurement> rows, CancellationToken stop)
    {
        using var measured = new MeasuredRun(job.First, _folders.Run(job.Inputs), _corpora.Open(job.First.Corpus, null, stop));
        foreach (var (run, measure) in job.Missing(rows).ToList())
        {
            Measurement Row(string name, double value) => new(run.Study.Name, run.Size, run.RowArm, run.Seed, name, value, job.Inputs);
            var taken = measure.Take(measured, stop).Select(taken => Row(taken.Measure, taken.Value)).ToList();
            Directory.CreateDirectory(_folders.Study(run.Study.Name));
            lock (_writing)
            {
                MeasurementFile.Append(measure.Timed ? _folders.Timings(run.Study.Name) : _folders.Rows(run.Study.Name, Slice), taken);
                if (measure == Measure.Training)
                    MeasurementFile.Append(
                        _folders.Timings(run.Study.Name),
                        [Row("tokens_per_second", measured.Result.TokensPerSecond), Row("seconds", measured.Result.Seconds)]
                    );
            }
        }
    }

    /// <summary>All rows of a study but those of runs that its definition no longer has.</summary>
    private IEnumerable<Measurement> WithoutStale(string study, List<StudyJob> jobs)
    {
        var plan = _plans.Single(plan => plan.Study.Name == study);
        var known = jobs.SelectMany(job => job.Runs.Where(run => run.Study.Name == study).Select(run => (run.RowArm, run.Seed, job.Inputs)))
            .ToHashSet();
        return _folders
            .RowFiles(study)
            .SelectMany(MeasurementFile.Read)
            .Where(row => row.Size != plan.Size.Name || known.Contains((row.Arm, row.Seed, row.Inputs)));
    }

    private async Task ReportAsync(List<StudyJob> jobs, IProgress<StudyProgress>? progress, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(ended))
                progress?.Report(Progress(jobs));
        }
        catch (OperationCanceledException) { }
    }

    private StudyProgress Progress(List<StudyJob> jobs)
    {
        var done = jobs.Where(job => job.State is JobState.Finished or JobState.Reused or JobState.Failed).ToList();
        var now = done.Where(job => job.State == JobState.Finished).Sum(job => job.Seconds);
        var left = jobs.Except(done).Sum(job => job.Seconds);
        // The plan's seconds are guesses; what has been done since the start says how long one of them really takes.
        TimeSpan? remaining = now > 0 ? _clock.Elapsed * (left / now) : TimeSpan.FromSeconds(left / AtOnce);
        return new StudyProgress(
            "training",
            done.Count,
            jobs.Count,
            [.. jobs.Where(job => job.State is JobState.Training or JobState.Measuring).Select(Describe)],
            _clock.Elapsed,
            remaining
        );
    }

    private string Describe(StudyJob job)
    {
        if (job.State == JobState.Measuring)
            return $"{Name(job.First)} measuring";
        var last = TrainingCurve.Read(_folders.Run(job.Inputs)).Training.LastOrDefault();
        return FormattableString.Invariant($"{Name(job.First)} {last?.Step ?? 0:N0}/{job.First.Options.Steps:N0} loss {last?.Loss:0.000}");
    }

    private static string Name(PlannedRun run) => $"{run.Study.Name} {run.RowArm} (seed {run.Seed})";

    private sealed class PreparationReports(IProgress<StudyProgress>? progress, Stopwatch clock) : IProgress<PreparationProgress>
    {
        public void Report(PreparationProgress value) =>
            progress?.Report(
                new StudyProgress(
                    $"preparing a text: {value.Stage switch
        {
            PreparationStage.Reading => "reading",
            PreparationStage.LeavingOutDuplicates => "looking for duplicates",
            PreparationStage.TrainingTokenizer => "training the tokenizer",
            _ => "encoding",
        }}",
                    0,
                    0,
                    [],
                    clock.Elapsed,
                    null
                )
            );
    }
}

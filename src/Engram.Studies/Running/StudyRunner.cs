using System.Collections.Concurrent;
using System.Diagnostics;
using Engram.Corpora;
using Engram.Storage;
using Engram.Studies.Definitions;
using Engram.Studies.Exhibits;
using Engram.Studies.Measures;
using Engram.Studies.Planning;
using Engram.Studies.Processes;
using Engram.Studies.Results;
using Engram.Torch.Native;
using Engram.Training;

namespace Engram.Studies.Running;

/// <summary>
/// Runs studies: prepares their texts, trains what is not yet trained, each model in a process of its own, measures it, and appends the
/// rows. Nothing is done twice while the inputs of a run are the same, whichever study asked for it first, and whatever interrupts a call,
/// the next one goes on from there.
/// </summary>
public sealed class StudyRunner
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly IReadOnlyList<StudyPlan> _plans;
    private readonly StudyFolders _folders;
    private readonly StudyCorpora _corpora;
    private readonly StudyTraining _training;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _writing = new();
    private readonly ConcurrentQueue<string> _failures = [];

    /// <summary>Plans the studies.</summary>
    /// <param name="studies">What to run.</param>
    /// <param name="size">At which size.</param>
    /// <param name="folders">Where.</param>
    /// <param name="corpora">Their texts; stays the caller's.</param>
    /// <param name="command">How processes of this program are started.</param>
    /// <exception cref="InvalidDataException">A definition contradicts itself, or arms differ in what they claim is equal.</exception>
    public StudyRunner(IReadOnlyList<Study> studies, StudySize size, StudyFolders folders, StudyCorpora corpora, EngramCommand command) =>
        (_plans, _folders, _corpora, _training) = (
            [.. studies.Select(study => StudyPlan.Of(study, size).Checked())],
            folders,
            corpora,
            new StudyTraining(folders, corpora, command)
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
        var jobs = StudyJobs.Of(_plans, Data, Slice);
        var rows = Rows();
        TextIdentities.Write(
            _folders.Results,
            _plans.SelectMany(plan => plan.Runs).Select(run => (run.Size, run.Setting.Corpus, Data(run))).Distinct()
        );
        foreach (var job in jobs.Where(job => !job.Missing(rows).Any() && !job.Runs.Any(run => MissingExhibits(run, job.Inputs).Any())))
            job.State = JobState.Reused;
        // Within a seed the longest first, so that at the end no core waits long for another one.
        var open = jobs.Where(job => job.State == JobState.Waiting)
            .GroupBy(job => (job.First.Study, job.First.Setting, job.First.Seed))
            .SelectMany(group => group.OrderByDescending(job => job.Seconds))
            .ToList();
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

    /// <summary>Where the trained model of a run lies, for those of the plans that are there.</summary>
    public IReadOnlyList<TrainedModel> Models() =>
        [
            .. _plans
                .SelectMany(plan => plan.Runs)
                .Select(run => (Run: run, Folder: _folders.Run(Inputs(run))))
                .Where(entry => TrainingResult.Read(entry.Folder) is not null)
                .Select(entry => new TrainedModel(entry.Run.Setting.Name, entry.Run.Arm.Name, entry.Run.Seed, entry.Folder)),
        ];

    private string Data(PlannedRun run) => _corpora.Identity(run.Corpus);

    private string Inputs(PlannedRun run) => RunInputs.Of(run, Data(run));

    private ILookup<(string, string, string, long), Measurement> Rows() =>
        _plans
            .SelectMany(plan => _folders.RowFiles(plan.Study.Name).Append(_folders.Timings(plan.Study.Name)))
            .SelectMany(MeasurementFile.Read)
            .ToLookup(row => (row.Study, row.Size, row.Arm, row.Seed));

    private void Work(
        IReadOnlyList<StudyJob> jobs,
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
        IReadOnlyList<StudyJob> jobs,
        List<StudyJob> open,
        ILookup<(string, string, string, long), Measurement> rows,
        IProgress<StudyProgress>? progress,
        CancellationToken cancellation
    )
    {
        using var timer = new PeriodicTimer(Interval);
        var reports = ReportAsync(jobs, progress, timer);
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
            timer.Dispose();
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
        foreach (var needed in job.Runs.SelectMany(run => run.Needs))
            await _training.TrainedAsync(needed, Threads, stop);
        job.State = JobState.Training;
        await _training.TrainedAsync(job.First, Threads, stop);
    }

    private void MeasureAll(StudyJob job, ILookup<(string, string, string, long), Measurement> rows, CancellationToken stop)
    {
        var missing = job.Missing(rows).ToList();
        foreach (var run in job.Runs)
        {
            using var measured = Measured(job, run, stop);
            foreach (var (_, measure) in missing.Where(entry => ReferenceEquals(entry.Run, run)))
            {
                var inputs = job.InputsOf(run, measure);
                Measurement Row(string name, double value) => new(run.Study.Name, run.Size, run.RowArm, run.Seed, name, value, inputs);
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
            foreach (var (exhibit, path) in MissingExhibits(run, job.Inputs).ToList())
            {
                var part = exhibit.Html(measured, stop);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                AtomicFile.WriteAllText(path, part);
            }
        }
    }

    private MeasuredRun Measured(StudyJob job, PlannedRun run, CancellationToken stop) =>
        new(
            run,
            _folders.Run(job.Inputs),
            run.Reference is { } reference ? _folders.Run(Inputs(reference)) : null,
            _corpora.Open(run.Corpus, null, stop)
        );

    private IEnumerable<(Exhibit Exhibit, string Path)> MissingExhibits(PlannedRun run, string inputs) =>
        Exhibit
            .Of(run)
            .Select(exhibit => (exhibit, Path: _folders.Exhibit(run.Study.Name, inputs, exhibit.Name)))
            .Where(entry => !File.Exists(entry.Path));

    /// <summary>
    /// All rows of a study but those of runs that have become others since (their arm and seed now have another hash), or of questions that
    /// have, and were measured again: a row goes only when another one takes its place.
    /// </summary>
    private IEnumerable<Measurement> WithoutStale(string study, IReadOnlyList<StudyJob> jobs)
    {
        var size = _plans.Single(plan => plan.Study.Name == study).Size.Name;
        var known = jobs.SelectMany(job => job.Runs.Where(run => run.Study.Name == study).Select(run => (run, job)))
            .ToDictionary(
                entry => (entry.run.RowArm, entry.run.Seed),
                entry => Measure.Of(entry.run).Select(measure => entry.job.InputsOf(entry.run, measure)).ToHashSet()
            );
        return WithoutStale([.. _folders.RowFiles(study).SelectMany(MeasurementFile.Read)], size, known);
    }

    /// <summary>The same of rows.</summary>
    /// <param name="rows">All rows of a study.</param>
    /// <param name="size">The size that was run.</param>
    /// <param name="known">Today's hashes by arm and seed.</param>
    internal static IEnumerable<Measurement> WithoutStale(
        IReadOnlyList<Measurement> rows,
        string size,
        IReadOnlyDictionary<(string Arm, long Seed), HashSet<string>> known
    )
    {
        bool IsOfToday(Measurement row) =>
            known.TryGetValue((row.Arm, row.Seed), out var models)
            && models.Any(model => row.Inputs == Measure.InputsOf(row.Measure, model));
        static (string, long, bool) Place(Measurement row) => (row.Arm, row.Seed, WorldRecall.Gives(row.Measure));
        var replaced = rows.Where(row => row.Size == size && IsOfToday(row)).Select(Place).ToHashSet();
        return rows.Where(row => row.Size != size || IsOfToday(row) || !replaced.Contains(Place(row)));
    }

    /// <summary>Reports until the timer is disposed.</summary>
    private async Task ReportAsync(IReadOnlyList<StudyJob> jobs, IProgress<StudyProgress>? progress, PeriodicTimer timer)
    {
        while (await timer.WaitForNextTickAsync())
            progress?.Report(Progress(jobs));
    }

    private StudyProgress Progress(IReadOnlyList<StudyJob> jobs)
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
            return $"{job.First.Title} measuring";
        var last = TrainingCurve.Read(_folders.Run(job.Inputs)).Training.LastOrDefault();
        return last is null
            ? $"{job.First.Title} starting"
            : FormattableString.Invariant($"{job.First.Title} {last.Step:N0}/{job.First.Options.Steps:N0} loss {last.Loss:0.000}");
    }

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

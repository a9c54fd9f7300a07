using System.Diagnostics;
using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Models.Recipes;
using Engram.Tables;
using Engram.Torch;
using Engram.Torch.Native;

namespace Engram.Training;

/// <summary>
/// Trains one model. A run is a pure function of configuration, data, options and thread count: interrupted at any moment and resumed, it
/// gives the same bits as undisturbed.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly TrainingSetup _setup;
    private readonly TrainingOptions _options;
    private readonly RunFolder _folder;
    private readonly LanguageModel _model;
    private readonly TrainingStep _update;
    private readonly bool _beginsWithModel;
    private readonly LossWatch _watch;
    private readonly double _flopsPerToken;
    private readonly double _matmulPeak;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TrainingClock _time;
    private long _step;

    private Trainer(TrainingSetup setup, RunFolder folder, Action<string> note)
    {
        (_setup, _options, _folder) = (setup, setup.Options, folder);
        _matmulPeak = MatmulPeak.Measure(setup.Device);
        (_model, _update, _step, _time, _beginsWithModel) = StartingPoint.Of(setup, folder, note);
        _watch = new LossWatch(_model.Configuration.VocabularySize, _options);
        _flopsPerToken = UsefulFlopsPerToken(_model.Configuration);
    }

    /// <summary>
    /// Records what a run is, for another process to train: that one resumes the folder and needs to be told nothing but the data.
    /// </summary>
    /// <param name="configuration">The model.</param>
    /// <param name="options">The training.</param>
    /// <param name="runFolder">Is created if needed.</param>
    /// <exception cref="InvalidDataException">The folder holds a run with other options or another configuration.</exception>
    public static void Begin(ModelConfiguration configuration, TrainingOptions options, string runFolder)
    {
        using var folder = RunFolder.Open(runFolder);
        if (folder.Begun)
            folder.RequireSame(configuration, options);
        else
            folder.Begin(configuration, options.Validated());
    }

    /// <summary>
    /// Threads of one tensor operation that a run began with. Where that is not recorded: those of the newest checkpoint, or null without
    /// one. Continued with another number, the run may end with other last bits than undisturbed.
    /// </summary>
    /// <param name="runFolder">The folder of a run.</param>
    /// <exception cref="FileNotFoundException">The checkpoint is incomplete.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or the record of the options.</exception>
    public static int? ThreadsBefore(string runFolder)
    {
        using var folder = RunFolder.Open(runFolder);
        return folder.Begun && folder.Options.Threads is { } threads ? threads
            : folder.CheckpointSteps() is [.., var newest] ? Checkpoint.Threads(folder.Checkpoint(newest))
            : null;
    }

    /// <summary>Whether a run can go on from somewhere other than its beginning.</summary>
    /// <param name="runFolder">The folder of a run.</param>
    public static bool HasCheckpoint(string runFolder) => RunFolder.CheckpointSteps(runFolder).Count > 0;

    /// <summary>Trains to the end, or until cancelled: then a checkpoint is written first.</summary>
    /// <param name="setup">What to do.</param>
    /// <param name="progress">Told after every update.</param>
    /// <param name="cancellation">Ends the run after the current update.</param>
    /// <param name="note">Told what a user should know besides: a damaged checkpoint that was passed over, a run that begins anew.</param>
    /// <exception cref="ArgumentException">
    /// An option is out of range, or options, configuration and tokenizer do not fit; a new folder holds no run then.
    /// </exception>
    /// <exception cref="InvalidOperationException">The folder holds a run and <see cref="TrainingSetup.Resume"/> is not set.</exception>
    /// <exception cref="InvalidDataException">
    /// The data are too short, the folder's run has other options, another configuration or other data, or a file is damaged.
    /// </exception>
    /// <exception cref="IOException">
    /// Another process trains there, or the folder cannot be written or is full: the newest checkpoint is intact.
    /// </exception>
    /// <exception cref="TrainingDivergedException">
    /// Loss, gradient or a weight is no finite number, or the loss was above ln V + 1 nats (+ 5 in the warm-up) for ten updates in a row,
    /// or for half the updates of a run of less than twenty.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; the run can be resumed.</exception>
    public static TrainingResult Run(
        TrainingSetup setup,
        IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellation = default,
        Action<string>? note = null
    )
    {
        Check(setup);
        using var folder = RunFolder.Open(setup.RunFolder);
        if (Finished(setup, folder) is { } finished)
            return finished;
        if (setup.Options.Threads is { } threads)
            ThreadSettings.IntraOperation = threads;
        using var trainer = new Trainer(setup, folder, note ?? (_ => { }));
        try
        {
            return trainer.Train(progress, cancellation);
        }
        catch (IOException e) when (folder.Begun)
        {
            var stands = folder.CheckpointSteps().LastOrDefault(-1) is >= 0 and var kept
                ? $"The checkpoint of update {kept} stands"
                : "There is no checkpoint yet";
            throw new IOException($"{e.Message.TrimEnd('.')}. {stands}: make room, or mend what is wrong there, and resume the run.", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _update.Dispose();
        _model.Dispose();
        if (File.Exists(_folder.ResultFile))
            ModelTables.Delete(_folder.Tables);
    }

    private static TrainingResult? Finished(TrainingSetup setup, RunFolder folder)
    {
        if (!folder.Begun)
            return null;
        if (!setup.Resume)
            throw new InvalidOperationException($"{setup.RunFolder} already holds a run: resume it, or choose another folder.");
        folder.RequireSame(setup.Configuration, setup.Options);
        folder.RequireSame(setup.Corpus);
        // One that ended earlier is lengthened.
        return TrainingResult.Read(folder.Path) is { } result && result.Steps >= setup.Options.Steps ? result : null;
    }

    /// <summary>Finds now what would otherwise end the run at its first validation.</summary>
    private static void Check(TrainingSetup setup)
    {
        var (options, context) = (setup.Options.Validated(), setup.Configuration.Validated().MaxPositionEmbeddings);
        if (options.Length > context)
            throw new TrainingOptionException(
                nameof(options.Length),
                options.Length,
                $"max_position_embeddings of the model is {context}: shorten the sequences, or configure a longer context"
            );
        if (setup.Configuration.Engram is { } engram && (Int128)options.TokensPerStep * engram.RowsPerToken > UniqueRows.MostAddresses)
            throw new ArgumentException(
                $"An update of {options.TokensPerStep} tokens reads {(Int128)options.TokensPerStep * engram.RowsPerToken} rows of "
                    + $"each table; at most {UniqueRows.MostAddresses} are possible: take fewer or shorter sequences, or fewer "
                    + "accumulation steps."
            );
        var (start, text) = (setup.Configuration.StartTokenId, setup.Corpus.Summary);
        if (start != text.EndOfTextId)
            throw new ArgumentException(
                $"{(start is null ? "config.json names no start token" : $"The model's documents begin with token {start}")}, but "
                    + $"those of {setup.Corpus.Folder} with "
                    + $"{text.EndOfTextId} ({text.EndOfText}): set bos_token_id to {text.EndOfTextId}, or prepare the data with the "
                    + "model's tokenizer."
            );
        // Both refuse data that are shorter than one sequence.
        _ = new BatchSampler(setup.Corpus, options.Length, (ulong)options.Seed);
        _ = new ValidationBatches(setup.Corpus, options.ValidationSequences, 1, options.Length);
    }

    /// <summary>
    /// Useful arithmetic of training on one token: the plan's <see cref="ModelPlan.TrainingFlopsPerToken"/> at a context of 0, which is 6
    /// for each weight that multiplies, the output matrix included. Attention scores, which depend on the length, values that are looked
    /// up, gains, and whatever an implementation does besides are not counted.
    /// </summary>
    public static double UsefulFlopsPerToken(ModelConfiguration configuration) =>
        ModelPlan.Of(configuration, contextLength: 0).TrainingFlopsPerToken;

    private TrainingResult Train(IProgress<TrainingProgress>? progress, CancellationToken cancellation)
    {
        // What cannot work has failed before this point: not after hours of training, and with the folder free for another attempt.
        if (_beginsWithModel)
            Checkpoint.Save(_folder.Checkpoint(_step), _model, _update.Optimizer, _step, _time);
        if (!_folder.Begun)
            _folder.Begin(_setup.Configuration, _options with { Threads = ThreadSettings.IntraOperation });
        else
            _folder.Lengthen(_options.Steps);
        _folder.Record(_setup.Corpus);
        using var batches = new StepBatches(_setup.Corpus, _options, _model.Memory, _step);
        using var metrics = new MetricsLog(_folder.Path, _step);
        LossMeasurement? validation = null;
        while (_step < _options.Steps)
        {
            cancellation.ThrowIfCancellationRequested();
            var began = _clock.Elapsed;
            var (loss, norm, rate) = Update(batches.Take());
            var seconds = (_clock.Elapsed - began).TotalSeconds;
            _time = _time.Trained(seconds, _options.TokensPerStep);
            var speed = _options.TokensPerStep / seconds;
            metrics.Write(
                _step,
                ("tokens", _step * _options.TokensPerStep),
                ("loss", loss),
                ("learning_rate", rate),
                ("gradient_norm", norm),
                ("tokens_per_second", speed)
            );

            validation = null;
            if (_step == _options.Steps || (_options.ValidateEvery > 0 && _step % _options.ValidateEvery == 0))
            {
                validation = Validate();
                metrics.Write(_step, ("validation_loss", validation.Nats), ("bits_per_byte", validation.BitsPerByte));
            }

            progress?.Report(
                new TrainingProgress(
                    _step,
                    _options.Steps,
                    loss,
                    validation?.Nats,
                    rate,
                    norm,
                    speed,
                    speed * _flopsPerToken / _matmulPeak,
                    Elapsed,
                    Remaining
                )
            );
            var due = _options.CheckpointEvery > 0 && _step % _options.CheckpointEvery == 0 && _step < _options.Steps;
            // A loss above the limit may be the beginning of the end: such weights must not push out good ones, and a resumed run would
            // count anew.
            if ((due || (cancellation.IsCancellationRequested && _step < _options.Steps)) && _watch.Above == 0)
                SaveCheckpoint(metrics);
        }

        metrics.Flush();
        return Finish(validation ?? Validate());
    }

    private LossMeasurement Validate()
    {
        _update.Tables?.CatchUp();
        var measured = ValidationLoss.Measure(_model, _setup.Corpus, _options.Length, _options.ValidationSequences, _model.Memory);
        return double.IsFinite(measured.Nats) ? measured : throw Diverged(_step, $"the validation loss is {measured.Nats}");
    }

    /// <summary>One optimizer update. Returns mean loss, gradient norm and learning rate.</summary>
    private (double Loss, double Norm, double Rate) Update(StepBatch batch)
    {
        var update = _step + 1;
        var rate = _options.LearningRates.At(update);
        var outcome = _update.Update(batch, rate);
        if (outcome.NonFinite is { } what)
            throw Diverged(update, what);
        _watch.Add(update, outcome.Loss);
        if (_watch.Exploded)
            throw Diverged(update, $"the loss is {outcome.Loss:G6}, and above {_watch.Limit(update):F2} since {_watch.Above} updates");
        _step = update;
        return (outcome.Loss, outcome.GradientNorm, rate);
    }

    private TimeSpan Elapsed => TimeSpan.FromSeconds(_time.WallSeconds + _clock.Elapsed.TotalSeconds);

    private TimeSpan Remaining =>
        TimeSpan.FromSeconds((_options.Steps - _step) * _time.TrainingSeconds / Math.Max(1, _time.TrainedTokens / _options.TokensPerStep));

    private TrainingDivergedException Diverged(long step, string what)
    {
        var kept = _folder.CheckpointSteps().LastOrDefault();
        var remedy = kept > 0 ? $"The checkpoint of update {kept} is intact" : "No checkpoint was written yet";
        return new TrainingDivergedException(
            $"Training diverged at update {step}: {what}. {remedy}; lower the learning rate or lengthen the warm-up, in a new run folder."
        );
    }

    /// <summary>Weights that are no numbers must not push out a checkpoint of some that are.</summary>
    private void RequireFinite()
    {
        if (_model.FirstNonFinite() is { } culprit)
            throw Diverged(_step, $"{culprit} holds a value that is not finite");
    }

    private void SaveCheckpoint(MetricsLog metrics)
    {
        _update.Tables?.CatchUp();
        RequireFinite();
        metrics.Flush();
        Checkpoint.Save(_folder.Checkpoint(_step), _model, _update.Optimizer, _step, _time with { WallSeconds = Elapsed.TotalSeconds });
        _folder.Prune(_options.KeepCheckpoints);
        _model.Memory?.Tables.PruneJournals(_folder.CheckpointSteps()[0]);
    }

    private TrainingResult Finish(LossMeasurement validation)
    {
        _update.Tables?.CatchUp();
        RequireFinite();
        SaveModel();
        var speed = _time.TrainedTokens / _time.TrainingSeconds;
        var result = new TrainingResult(
            _step,
            _step * _options.TokensPerStep,
            validation.Nats,
            validation.BitsPerByte,
            speed,
            _matmulPeak,
            speed * _flopsPerToken / _matmulPeak,
            Elapsed.TotalSeconds,
            _folder.Model
        );
        result.Write(_folder.ResultFile);
        _folder.Prune(keep: 0);
        return result;
    }

    /// <summary>
    /// Of the checkpoints, which go when the model is there, the newest is enough to go on from: where the model does not fit beside all,
    /// the older ones make room.
    /// </summary>
    private void SaveModel()
    {
        try
        {
            _model.Save(_folder.Model);
        }
        catch (IOException) when (_folder.CheckpointSteps().Count > 1)
        {
            _folder.Prune(keep: 1);
            _model.Save(_folder.Model);
        }
        var earlier = _setup.Init is { } model ? TrainingNote.Read(model)?.Length : null;
        new TrainingNote(Math.Max(_options.Length, earlier ?? 0)).Write(_folder.Model);
    }
}

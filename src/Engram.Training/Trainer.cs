using Engram.Torch.Memory;
using System.Diagnostics;
using Engram.Torch;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Torch.Native;
using Engram.Tables;
using Engram.Corpora;
using Engram.Training.Optimizers;
using static TorchSharp.torch;

namespace Engram.Training;

/// <summary>What to train, on what, how, where.</summary>
/// <param name="Configuration">The model.</param>
/// <param name="Corpus">Prepared data; stays the caller's.</param>
/// <param name="Options">The training.</param>
/// <param name="RunFolder">Receives checkpoints, metrics and the model.</param>
/// <param name="Device">Where the dense part computes.</param>
/// <param name="Resume">Continues the run in the folder from its newest checkpoint, or from the start if it has none; a finished run is returned as it is.</param>
public sealed record TrainingSetup(ModelConfiguration Configuration, PreparedCorpus Corpus, TrainingOptions Options, string RunFolder, Device Device, bool Resume = false);

/// <summary>Loss, gradient or a weight left the range of numbers, or the loss exploded. The last good checkpoint is kept.</summary>
public sealed class TrainingDivergedException(string message) : Exception(message);

/// <summary>
/// Trains one model. A run is a pure function of configuration, data, options and thread count: interrupted at any moment and resumed, it gives
/// the same bits as undisturbed.
/// </summary>
public sealed class Trainer : IDisposable
{
    // A loss this far above that of a uniform guess cannot come from a healthy model.
    private const double ExplodedNats = 1;

    // While the rate still rises, a spike may pass.
    private const double ExplodedNatsInWarmUp = 5;

    private readonly TrainingSetup _setup;
    private readonly TrainingOptions _options;
    private readonly RunFolder _folder;
    private readonly LanguageModel _model;
    private readonly DenseOptimizer _optimizer;
    private readonly TableTrainer? _tables;
    private readonly WorkingTables? _working;
    private readonly double _flopsPerToken;
    private readonly double _matmulPeak;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TrainingClock _time;
    private long _step;

    private Trainer(TrainingSetup setup, RunFolder folder)
    {
        (_setup, _options, _folder) = (setup, setup.Options, folder);
        var newest = folder.CheckpointSteps().LastOrDefault();
        if (setup.Configuration.Engram is not null && _options.Tables == TableLocation.Mapped)
            _working = Reopen(newest);
        _model = newest > 0
            ? LanguageModel.Load(folder.Checkpoint(newest), setup.Device, new MemoryOptions { Open = _working is null ? null : _working.Open })
            : LanguageModel.Create(setup.Configuration, setup.Corpus.Tokenizer, _options.Seed, setup.Device, _working is null ? (_, rows, width) => new EngramTable(rows, width) : _working.Create);
        _optimizer = new DenseOptimizer(_model.Transformer.Parameters.All, _options.DenseOptimizer);
        if (_model.Memory is { } memory && _options.TableLearningRateMultiplier > 0 && _model.Configuration.Engram!.Tables == EngramTables.Trained)
            _tables = new TableTrainer(memory, _options, _working);
        if (newest > 0)
        {
            _tables?.ReturnTo(newest);
            (_step, _time) = (newest, Checkpoint.Load(folder.Checkpoint(newest), newest, _optimizer, _tables));
            _tables?.BeginJournals(newest);
        }

        _flopsPerToken = UsefulFlopsPerToken(_model.Configuration);
        _matmulPeak = MatmulPeak.Measure(setup.Device);
    }

    /// <summary>Records what a run is, for another process to train: that one resumes the folder and needs to be told nothing but the data.</summary>
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
    /// Threads of one tensor operation that a run began with. Where that is not recorded: those of the newest checkpoint, or null without one.
    /// Continued with another number, the run may end with other last bits than undisturbed.
    /// </summary>
    /// <param name="runFolder">The folder of a run.</param>
    /// <exception cref="FileNotFoundException">The checkpoint is incomplete.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or the record of the options.</exception>
    public static int? ThreadsBefore(string runFolder)
    {
        using var folder = RunFolder.Open(runFolder);
        return folder.Begun && folder.Options.Threads is { } threads ? threads
            : folder.CheckpointSteps() is [.., var newest] ? Checkpoint.Threads(folder.Checkpoint(newest)) : null;
    }

    /// <summary>Trains to the end, or until cancelled: then a checkpoint is written first.</summary>
    /// <param name="setup">What to do.</param>
    /// <param name="progress">Told after every update.</param>
    /// <param name="cancellation">Ends the run after the current update.</param>
    /// <exception cref="ArgumentException">An option is out of range, or options, configuration and tokenizer do not fit; a new folder holds no run then.</exception>
    /// <exception cref="InvalidOperationException">The folder holds a run and <see cref="TrainingSetup.Resume"/> is not set.</exception>
    /// <exception cref="InvalidDataException">The data are too short, the folder's run has other options, another configuration or other data, or a file is damaged.</exception>
    /// <exception cref="IOException">Another process trains there, or the folder cannot be written or is full: the newest checkpoint is intact.</exception>
    /// <exception cref="TrainingDivergedException">Loss, gradient or a weight is no finite number, or the loss exploded.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the run can be resumed.</exception>
    public static TrainingResult Run(TrainingSetup setup, IProgress<TrainingProgress>? progress = null, CancellationToken cancellation = default)
    {
        Check(setup);
        using var folder = RunFolder.Open(setup.RunFolder);
        if (Finished(setup, folder) is { } finished)
            return finished;
        if (setup.Options.Threads is { } threads)
            ThreadSettings.IntraOperation = threads;
        using var trainer = new Trainer(setup, folder);
        return trainer.Train(progress, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            if (_working is not null && !File.Exists(_folder.ResultFile))
            {
                _tables?.Flush();
                _working.Release();
            }
        }
        finally
        {
            _tables?.Dispose();
            _optimizer.Dispose();
            _model.Dispose();
        }
        if (File.Exists(_folder.ResultFile))
            _working?.Clear();
    }

    /// <summary>Takes hold of the mapped tables of an earlier process, or of none when the run begins anew.</summary>
    private WorkingTables Reopen(long newest)
    {
        var working = new WorkingTables(_folder.Tables);
        if (newest == 0)
            working.Clear();
        // An unfinished one would share its tables with those that are trained on.
        if (Directory.Exists(_folder.Model))
            Directory.Delete(_folder.Model, recursive: true);
        working.Hold();
        return working;
    }

    private static TrainingResult? Finished(TrainingSetup setup, RunFolder folder)
    {
        if (!folder.Begun)
            return null;
        if (!setup.Resume)
            throw new InvalidOperationException($"{setup.RunFolder} already holds a run: resume it, or choose another folder.");
        folder.RequireSame(setup.Configuration, setup.Options);
        folder.RequireSame(setup.Corpus);
        return TrainingResult.Read(folder.Path);
    }

    /// <summary>Finds now what would otherwise end the run at its first validation.</summary>
    private static void Check(TrainingSetup setup)
    {
        var (options, context) = (setup.Options.Validated(), setup.Configuration.Validated().MaxPositionEmbeddings);
        if (options.Length > context)
            throw new ArgumentException($"Length is {options.Length}, but max_position_embeddings of the model is {context}: shorten the sequences, or configure a longer context.");
        // Both refuse data that are shorter than one sequence.
        _ = new BatchSampler(setup.Corpus, options.Length, (ulong)options.Seed);
        _ = new ValidationBatches(setup.Corpus, options.ValidationSequences, 1, options.Length);
    }

    /// <summary>
    /// Useful arithmetic of training on one token: the plan's <see cref="ModelPlan.TrainingFlopsPerToken"/> at a context of 0, which is 6 for each weight
    /// that multiplies, the output matrix included. Attention scores, which depend on the length, values that are looked up, gains, and whatever an
    /// implementation does besides are not counted.
    /// </summary>
    public static double UsefulFlopsPerToken(ModelConfiguration configuration) => ModelPlan.Of(configuration, contextLength: 0).TrainingFlopsPerToken;

    private TrainingResult Train(IProgress<TrainingProgress>? progress, CancellationToken cancellation)
    {
        // What cannot work has failed before this point: not after hours of training, and with the folder free for another attempt.
        if (!_folder.Begun)
            _folder.Begin(_setup.Configuration, _options with { Threads = ThreadSettings.IntraOperation });
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
            metrics.Write(_step, ("tokens", _step * _options.TokensPerStep), ("loss", loss), ("learning_rate", rate), ("gradient_norm", norm), ("tokens_per_second", speed));

            validation = null;
            if (_step == _options.Steps || (_options.ValidateEvery > 0 && _step % _options.ValidateEvery == 0))
            {
                validation = Validate();
                metrics.Write(_step, ("validation_loss", validation.Nats), ("bits_per_byte", validation.BitsPerByte));
            }

            progress?.Report(new TrainingProgress(_step, _options.Steps, loss, validation?.Nats, rate, norm, speed, speed * _flopsPerToken / _matmulPeak, Elapsed, Remaining));
            var due = _options.CheckpointEvery > 0 && _step % _options.CheckpointEvery == 0 && _step < _options.Steps;
            if (due || (cancellation.IsCancellationRequested && _step < _options.Steps))
                SaveCheckpoint();
        }

        return Finish(validation ?? Validate());
    }

    private LossMeasurement Validate()
    {
        var measured = ValidationLoss.Measure(_model, _setup.Corpus, _options.Length, _options.ValidationSequences);
        return double.IsFinite(measured.Nats) ? measured : throw Diverged(_step, $"the validation loss is {measured.Nats}");
    }

    /// <summary>One optimizer update over all micro-batches. Returns mean loss, gradient norm and learning rate.</summary>
    private (double Loss, double Norm, double Rate) Update(StepBatch batch)
    {
        var parts = _options.AccumulationSteps;
        var loss = 0.0;
        _tables?.Begin(batch.Rows);
        for (var part = 0; part < parts; part++)
            loss += Accumulate(batch, part) / parts;
        var step = _step + 1;
        if (!double.IsFinite(loss) || loss > Math.Log(_model.Configuration.VocabularySize) + (step > _options.LearningRates.WarmUp ? ExplodedNats : ExplodedNatsInWarmUp))
            throw Diverged(step, $"the loss is {loss:G6}");

        var clipped = GradientClipping.Apply(_optimizer.Parameters, _options.ClipNorm, _tables?.SumOfSquares() ?? 0);
        if (clipped.NonFinite is { } culprit)
            throw Diverged(step, $"the gradient of {culprit} is not finite");
        var rate = _options.LearningRates.At(step);
        _optimizer.Step(rate);
        _tables?.Step(rate * _options.TableLearningRateMultiplier, clipped.Factor);
        _model.Transformer.UpdateRouterBiases();
        _optimizer.ClearGradients();
        _step = step;
        return (loss, clipped.Norm, rate);
    }

    private double Accumulate(StepBatch batch, int part)
    {
        using var scope = NewDisposeScope();
        var (sequences, length) = (_options.Sequences, _options.Length);
        var tokens = sequences * length;
        var range = new Range(part * tokens, (part + 1) * tokens);
        using var memory = _model.Memory?.Gather(batch.Rows, part * sequences, sequences, length, _setup.Device, requiresGradient: _tables is not null);
        var transformer = _model.Transformer;
        var (hidden, auxiliary) = transformer.Forward(batch.Tokens.Inputs.AsSpan(range), batch.Tokens.DocumentStarts.AsSpan(range), sequences, memory, training: true);
        var loss = transformer.Loss(hidden, _options.AccumulationSteps == 1 ? batch.Tokens.Targets : batch.Tokens.Targets[range]);
        var objective = auxiliary is null ? loss : loss.Plus(auxiliary);
        if (_options.AccumulationSteps > 1)
            objective = objective.Times(1.0 / _options.AccumulationSteps);
        objective.backward();
        if (memory is not null)
            _tables?.Accumulate(memory, part * tokens, tokens);
        return loss.Value();
    }

    private TimeSpan Elapsed => TimeSpan.FromSeconds(_time.WallSeconds + _clock.Elapsed.TotalSeconds);

    private TimeSpan Remaining => TimeSpan.FromSeconds((_options.Steps - _step) * _time.TrainingSeconds / Math.Max(1, _time.TrainedTokens / _options.TokensPerStep));

    private TrainingDivergedException Diverged(long step, string what)
    {
        var kept = _folder.CheckpointSteps().LastOrDefault();
        var remedy = kept > 0 ? $"The checkpoint of update {kept} is intact" : "No checkpoint was written yet";
        return new TrainingDivergedException($"Training diverged at update {step}: {what}. {remedy}; lower the learning rate or lengthen the warm-up, in a new run folder.");
    }

    /// <summary>Weights that are no numbers must not push out a checkpoint of some that are.</summary>
    private void RequireFinite()
    {
        if ((_model.FirstNonFinite() ?? _tables?.FirstNonFinite()) is { } culprit)
            throw Diverged(_step, $"{culprit} holds a value that is not finite");
    }

    private void SaveCheckpoint()
    {
        RequireFinite();
        // The journals first: whether this checkpoint or the one before is the newest is then decided by one rename.
        _tables?.BeginJournals(_step);
        Checkpoint.Save(_folder.Checkpoint(_step), _model, _optimizer, _tables, _working is not null, _step, _time with { WallSeconds = Elapsed.TotalSeconds });
        _folder.Prune(_options.KeepCheckpoints);
        _working?.Prune(_folder.CheckpointSteps()[0]);
    }

    private void SaveModel()
    {
        if (_working is null)
        {
            _model.Save(_folder.Model);
            return;
        }
        _tables?.Flush();
        FolderReplacement.Replace(_folder.Model, temporary =>
        {
            LanguageModelFolder.WriteWithoutTables(_model, temporary);
            _working.LinkInto(temporary, _model.Memory!.LayerIds);
        });
    }

    private TrainingResult Finish(LossMeasurement validation)
    {
        RequireFinite();
        SaveModel();
        var speed = _time.TrainedTokens / _time.TrainingSeconds;
        var result = new TrainingResult(_step, _step * _options.TokensPerStep, validation.Nats, validation.BitsPerByte, speed, _matmulPeak,
            speed * _flopsPerToken / _matmulPeak, Elapsed.TotalSeconds, _folder.Model);
        result.Write(_folder.ResultFile);
        _folder.Prune(keep: 0);
        return result;
    }
}

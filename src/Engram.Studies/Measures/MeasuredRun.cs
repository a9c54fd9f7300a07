using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Memory;
using Engram.Studies.Planning;
using Engram.Torch;
using Engram.Training;

namespace Engram.Studies.Measures;

/// <summary>A trained model that is being measured; it is loaded when a measure first asks for it.</summary>
/// <param name="run">What was planned.</param>
/// <param name="folder">The folder of the training run.</param>
/// <param name="reference">The folder of the run that it is compared with; null without one.</param>
/// <param name="corpus">What both were trained on; stays the caller's.</param>
internal sealed class MeasuredRun(PlannedRun run, string folder, string? reference, PreparedCorpus corpus) : IDisposable
{
    private LanguageModel? _model,
        _reference;
    private IScoredModel? _scored;

    /// <summary>What was planned.</summary>
    public PlannedRun Run => run;

    /// <summary>The text.</summary>
    public PreparedCorpus Corpus => corpus;

    /// <summary>The folder of the training run.</summary>
    public string Folder => folder;

    /// <summary>How training ended.</summary>
    /// <exception cref="FileNotFoundException">It has not.</exception>
    public TrainingResult Result { get; } =
        TrainingResult.Read(folder)
        ?? throw new FileNotFoundException($"{folder}: holds no finished run.", Path.Combine(folder, TrainingResult.FileName));

    /// <summary>The folder of the model.</summary>
    public string ModelFolder => Path.Combine(folder, "model");

    /// <summary>The model, its tables where they were while it was trained.</summary>
    public LanguageModel Model => _model ??= LanguageModel.Load(ModelFolder, memory: new MemoryOptions { Tables = run.Options.Tables });

    /// <summary>The model for questions: by the managed engine where that serves it.</summary>
    public IScoredModel Scored =>
        _scored ??= EngramModel.Serves(run.Configuration)
            ? new ManagedModel(EngramModel.Open(ModelFolder))
            : new TorchModel(LanguageModel.Load(ModelFolder));

    /// <summary>The model of the study's reference, or this one where the run is the reference.</summary>
    public LanguageModel Reference => reference is null ? Model : _reference ??= LanguageModel.Load(Path.Combine(reference, "model"));

    /// <summary>Validation loss, nats, with what training validated on.</summary>
    /// <param name="memory">What is read; nothing if null.</param>
    /// <param name="cancellation">Ends the measurement.</param>
    public double Loss(MemoryBank? memory, CancellationToken cancellation) =>
        ValidationLoss.Measure(Model, corpus, run.Options.Length, run.Options.ValidationSequences, memory, cancellation).Nats;

    /// <inheritdoc/>
    public void Dispose()
    {
        _model?.Dispose();
        _scored?.Dispose();
        _reference?.Dispose();
    }
}

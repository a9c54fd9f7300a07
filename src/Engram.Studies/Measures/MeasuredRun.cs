using Engram.Corpora;
using Engram.Evaluation.Losses;
using Engram.Models.Memory;
using Engram.Studies.Planning;
using Engram.Torch;
using Engram.Training;

namespace Engram.Studies.Measures;

/// <summary>A trained model that is being measured; it is loaded when a measure first asks for it.</summary>
/// <param name="run">What was planned.</param>
/// <param name="folder">The folder of the training run.</param>
/// <param name="corpus">What it was trained on; stays the caller's.</param>
internal sealed class MeasuredRun(PlannedRun run, string folder, PreparedCorpus corpus) : IDisposable
{
    private LanguageModel? _model;

    /// <summary>What was planned.</summary>
    public PlannedRun Run => run;

    /// <summary>The text.</summary>
    public PreparedCorpus Corpus => corpus;

    /// <summary>How training ended.</summary>
    /// <exception cref="FileNotFoundException">It has not.</exception>
    public TrainingResult Result { get; } =
        TrainingResult.Read(folder)
        ?? throw new FileNotFoundException($"{folder}: holds no finished run.", Path.Combine(folder, TrainingResult.FileName));

    /// <summary>The folder of the model.</summary>
    public string ModelFolder => Path.Combine(folder, "model");

    /// <summary>The model.</summary>
    public LanguageModel Model => _model ??= LanguageModel.Load(ModelFolder);

    /// <summary>Validation loss, nats, with what training validated on.</summary>
    /// <param name="memory">What is read; nothing if null.</param>
    /// <param name="cancellation">Ends the measurement.</param>
    public double Loss(MemoryBank? memory, CancellationToken cancellation) =>
        ValidationLoss.Measure(Model, corpus, run.Options.Length, run.Options.ValidationSequences, memory, cancellation).Nats;

    /// <inheritdoc/>
    public void Dispose() => _model?.Dispose();
}

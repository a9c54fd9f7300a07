using Engram.Corpora;
using Engram.Models.Configuration;
using static TorchSharp.torch;

namespace Engram.Training;

/// <summary>What to train, on what, how, where.</summary>
/// <param name="Configuration">The model.</param>
/// <param name="Corpus">Prepared data; stays the caller's.</param>
/// <param name="Options">The training.</param>
/// <param name="RunFolder">Receives checkpoints, metrics and the model.</param>
/// <param name="Device">Where the dense part computes.</param>
/// <param name="Resume">
/// Continues the run in the folder from its newest checkpoint, or from the start if it has none; a finished run is returned as it is, or
/// goes on from its model if the options have more updates now.
/// </param>
/// <param name="Init">
/// A model folder whose weights a new run begins with: of the tokenizer of the corpus, and of the configuration, apart from what no weight
/// depends on. Null for starting values. Once begun, a run has them in a checkpoint and does not read the folder again.
/// </param>
public sealed record TrainingSetup(
    ModelConfiguration Configuration,
    PreparedCorpus Corpus,
    TrainingOptions Options,
    string RunFolder,
    Device Device,
    bool Resume = false,
    string? Init = null
);

/// <summary>Loss, gradient or a weight left the range of numbers, or the loss exploded. The last good checkpoint is kept.</summary>
public sealed class TrainingDivergedException(string message) : Exception(message);

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
/// <param name="Resume">Continues the run in the folder from its newest checkpoint, or from the start if it has none; a finished run is returned as it is.</param>
public sealed record TrainingSetup(ModelConfiguration Configuration, PreparedCorpus Corpus, TrainingOptions Options, string RunFolder, Device Device, bool Resume = false);

/// <summary>Loss, gradient or a weight left the range of numbers, or the loss exploded. The last good checkpoint is kept.</summary>
public sealed class TrainingDivergedException(string message) : Exception(message);

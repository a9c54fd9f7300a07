using Engram.Inference;
using Engram.Torch;
using Engram.Models.Memory;
using Engram.Torch.Native;
using Engram.Corpora;
using static TorchSharp.torch;

namespace Engram.Evaluation.Losses;

/// <summary>A loss over held-out text.</summary>
/// <param name="Nats">Mean cross-entropy per token, in nats.</param>
/// <param name="BitsPerByte">Total cross-entropy in bits over the UTF-8 bytes of the predicted text.</param>
/// <param name="Tokens">Predicted tokens.</param>
public sealed record LossMeasurement(double Nats, double BitsPerByte, long Tokens);

/// <summary>Loss on the validation part of a prepared corpus; the sequences are the same for every model.</summary>
public static class ValidationLoss
{
    private const int SequencesPerBatch = 8;
    private const int TokensPerCall = 64;

    /// <summary>Measures the loss.</summary>
    /// <param name="model">The model; its tokenizer must be the corpus's.</param>
    /// <param name="corpus">Prepared data.</param>
    /// <param name="length">Tokens per sequence.</param>
    /// <param name="sequences">At most this many sequences, evenly spaced.</param>
    /// <param name="memory">What is read: the model's own memory, a control, or one in another number format; nothing if null.</param>
    /// <param name="cancellation">Ends the measurement between two batches.</param>
    /// <exception cref="InvalidDataException">The corpus belongs to another tokenizer, or is too short.</exception>
    public static LossMeasurement Measure(LanguageModel model, PreparedCorpus corpus, int length, int sequences, MemoryBank? memory, CancellationToken cancellation = default)
    {
        corpus.RequireTokenizer(model.Tokenizer);
        using var inference = inference_mode();
        var (nats, tokens, bytes) = (0.0, 0L, 0L);
        foreach (var batch in new ValidationBatches(corpus, sequences, SequencesPerBatch, length))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var gathered = memory is null ? null : model.GatherMemory(batch.Inputs, batch.DocumentStarts, batch.Sequences, memory);
            var (hidden, _) = model.Transformer.Forward(batch.Inputs, batch.DocumentStarts, batch.Sequences, gathered);
            nats += model.Transformer.Loss(hidden, batch.Targets).Value() * batch.Targets.Length;
            tokens += batch.Targets.Length;
            bytes += batch.TargetBytes;
        }

        return new LossMeasurement(nats / tokens, nats / Math.Log(2) / bytes, tokens);
    }

    /// <inheritdoc cref="Measure(LanguageModel, PreparedCorpus, int, int, MemoryBank, CancellationToken)"/>
    /// <exception cref="ArgumentException">A sequence does not fit into the model's context.</exception>
    public static LossMeasurement Measure(EngramModel model, PreparedCorpus corpus, int length, int sequences, MemoryBank? memory, CancellationToken cancellation = default)
    {
        corpus.RequireTokenizer(model.Tokenizer);
        var vocabulary = model.Configuration.VocabularySize;
        var logits = new float[TokensPerCall * vocabulary];
        var (nats, tokens, bytes) = (0.0, 0L, 0L);
        foreach (var batch in new ValidationBatches(corpus, sequences, 1, length))
        {
            var sequence = model.NewSequence(memory);
            for (var from = 0; from < batch.Inputs.Length; from += TokensPerCall)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = Math.Min(TokensPerCall, batch.Inputs.Length - from);
                model.Read(sequence, batch.Inputs.AsSpan(from, count), logits.AsSpan(0, count * vocabulary));
                for (var t = 0; t < count; t++)
                    nats -= Likelihood.LogProbability(logits.AsSpan(t * vocabulary, vocabulary), batch.Targets[from + t]);
            }

            tokens += batch.Targets.Length;
            bytes += batch.TargetBytes;
        }

        return new LossMeasurement(nats / tokens, nats / Math.Log(2) / bytes, tokens);
    }
}

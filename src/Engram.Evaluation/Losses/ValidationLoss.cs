using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Evaluation.Losses;

/// <summary>A loss over held-out text.</summary>
/// <param name="Nats">Mean cross-entropy per token, in nats.</param>
/// <param name="BitsPerByte">Total cross-entropy in bits over the UTF-8 bytes of the predicted text.</param>
/// <param name="Tokens">Predicted tokens.</param>
public sealed record LossMeasurement(double Nats, double BitsPerByte, long Tokens);

/// <summary>Loss over sequences of held-out text, the same for every model.</summary>
public static class ValidationLoss
{
    // Activations of so many tokens are what a pass takes at once.
    private const int TokensPerBatch = 8192;
    private const int MostPerBatch = 8;

    // The managed engine writes the logits of so many tokens at once.
    private const int TokensPerCall = 64;

    /// <summary>Measures the loss on the validation part of prepared data.</summary>
    /// <param name="model">The model; its tokenizer must be the corpus's.</param>
    /// <param name="corpus">Prepared data.</param>
    /// <param name="length">Tokens per sequence.</param>
    /// <param name="sequences">At most this many sequences, evenly spaced.</param>
    /// <param name="memory">What is read: the model's own memory, a control, or one in another number format; nothing if null.</param>
    /// <param name="cancellation">Ends the measurement between two batches.</param>
    /// <exception cref="InvalidDataException">The corpus belongs to another tokenizer, or is too short.</exception>
    /// <exception cref="ArgumentException">The sequences are longer than the model's context.</exception>
    public static LossMeasurement Measure(
        LanguageModel model,
        PreparedCorpus corpus,
        int length,
        int sequences,
        MemoryBank? memory,
        CancellationToken cancellation = default
    ) => Measure(model, EvaluationText.Of(corpus, model.Tokenizer, length, sequences), memory, cancellation);

    /// <summary>Measures the loss.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">Sequences of its tokens.</param>
    /// <param name="memory">What is read: the model's own memory, a control, or one in another number format; nothing if null.</param>
    /// <param name="cancellation">Ends the measurement between two batches.</param>
    /// <exception cref="ArgumentException">The sequences are longer than the model's context.</exception>
    public static LossMeasurement Measure(
        LanguageModel model,
        EvaluationText text,
        MemoryBank? memory,
        CancellationToken cancellation = default
    )
    {
        RequireContext(model.Configuration, text.Length);
        using var inference = inference_mode();
        var (nats, tokens, bytes) = (0.0, 0L, 0L);
        foreach (var batch in text.Batches(SequencesPerBatch(text.Length)))
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
    public static LossMeasurement Measure(
        EngramModel model,
        PreparedCorpus corpus,
        int length,
        int sequences,
        MemoryBank? memory,
        CancellationToken cancellation = default
    ) => Measure(model, EvaluationText.Of(corpus, model.Tokenizer, length, sequences), memory, cancellation);

    /// <inheritdoc cref="Measure(LanguageModel, EvaluationText, MemoryBank, CancellationToken)"/>
    public static LossMeasurement Measure(
        EngramModel model,
        EvaluationText text,
        MemoryBank? memory,
        CancellationToken cancellation = default
    )
    {
        RequireContext(model.Configuration, text.Length);
        var vocabulary = model.Configuration.VocabularySize;
        var logits = new float[TokensPerCall * vocabulary];
        var (nats, tokens, bytes) = (0.0, 0L, 0L);
        foreach (var batch in text.Batches(1))
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

    /// <summary>Sequences that are read together: 8, or so many that they have no more tokens than 8 of 1,024.</summary>
    internal static int SequencesPerBatch(int length) => Math.Clamp(TokensPerBatch / length, 1, MostPerBatch);

    /// <summary>Refuses sequences that a model has no positions for.</summary>
    /// <exception cref="ArgumentException">They are longer than its context.</exception>
    /// <param name="model">Of the model.</param>
    /// <param name="length">Tokens of a sequence.</param>
    internal static void RequireContext(ModelConfiguration model, int length)
    {
        if (length > model.MaxPositionEmbeddings)
            throw new ArgumentException(
                $"max_position_embeddings of the model is {model.MaxPositionEmbeddings}, too little for sequences of {length}: take shorter ones, or "
                    + "train the model further on longer texts.",
                nameof(length)
            );
    }
}

using System.Numerics.Tensors;

namespace Engram.Inference;

/// <summary>How likely a model finds what follows.</summary>
public static class Likelihood
{
    /// <summary>Natural logarithm of the probability of a continuation after a context: Σ log p(token | everything before it).</summary>
    /// <param name="model">The model.</param>
    /// <param name="context">Token ids before it, at least one, the document start first.</param>
    /// <param name="continuation">Token ids whose probability is wanted; none have probability 1.</param>
    /// <param name="cancellation">Ends the call between pieces of a long text.</param>
    /// <exception cref="ArgumentException">
    /// The context is empty, the tokenizer does not define an id, or they do not fit into the model's context.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static double Score(
        this EngramModel model,
        ReadOnlySpan<int> context,
        ReadOnlySpan<int> continuation,
        CancellationToken cancellation = default
    )
    {
        if (context.IsEmpty)
            throw new ArgumentException("There is no token before the continuation: begin with the document start.", nameof(context));
        if (continuation.IsEmpty)
            return 0;
        var vocabulary = model.Configuration.VocabularySize;
        foreach (var id in continuation)
            if ((uint)id >= (uint)model.Tokenizer.VocabularySize)
                throw new ArgumentOutOfRangeException(
                    nameof(continuation),
                    id,
                    $"Token id {id} has no text: the tokenizer defines the ids 0 to {model.Tokenizer.VocabularySize - 1}."
                );
        var sequence = model.NewSequence();
        var logits = new float[vocabulary];
        model.Read(sequence, context, logits, cancellation);
        var total = LogProbability(logits, continuation[0]);
        for (var t = 1; t < continuation.Length; t++)
        {
            cancellation.ThrowIfCancellationRequested();
            model.Read(sequence, continuation.Slice(t - 1, 1), logits);
            total += LogProbability(logits, continuation[t]);
        }

        return total;
    }

    /// <summary>
    /// Natural logarithm of the probability that logits give a token: log softmax(logits)[token]. Exponentials are float32, their sum is
    /// float64 over short blocks: exact to about 1e-6.
    /// </summary>
    /// <param name="logits">Of all tokens, [V].</param>
    /// <param name="token">Its id.</param>
    /// <returns>Not a number where the largest logit is not finite.</returns>
    public static double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        const int block = 512;
        Span<float> exponentials = stackalloc float[block];
        var (max, sum) = (TensorPrimitives.Max(logits), 0.0);
        for (var from = 0; from < logits.Length; from += block)
        {
            var part = logits.Slice(from, Math.Min(block, logits.Length - from));
            var terms = exponentials[..part.Length];
            TensorPrimitives.Subtract(part, max, terms);
            TensorPrimitives.Exp(terms, terms);
            sum += TensorPrimitives.Sum<float>(terms);
        }

        return (double)logits[token] - max - Math.Log(sum);
    }
}

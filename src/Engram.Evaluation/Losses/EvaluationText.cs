using System.Runtime.InteropServices;
using Engram.Corpora;
using Engram.Tokenization;

namespace Engram.Evaluation.Losses;

/// <summary>Held-out text as sequences of equal length: of the validation part of prepared data, or of any text file.</summary>
public sealed class EvaluationText
{
    private readonly Func<int, IEnumerable<TokenBatch>> _batches;

    private EvaluationText(int length, int sequences, Func<int, IEnumerable<TokenBatch>> batches) =>
        (Length, Sequences, _batches) = (length, sequences, batches);

    /// <summary>Tokens of one sequence.</summary>
    public int Length { get; }

    /// <summary>Sequences.</summary>
    public int Sequences { get; }

    /// <summary>The validation part of prepared data: blocks of tokens, evenly spaced, the same for every model.</summary>
    /// <param name="corpus">Stays the caller's.</param>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="length">Tokens per sequence.</param>
    /// <param name="most">Sequences wanted; all there are, if they are fewer.</param>
    /// <exception cref="InvalidDataException">The corpus belongs to another tokenizer, or is too short.</exception>
    public static EvaluationText Of(PreparedCorpus corpus, Tokenizer tokenizer, int length, int most)
    {
        corpus.RequireTokenizer(tokenizer);
        var sequences = new ValidationBatches(corpus, most, 1, length).Sequences;
        return new EvaluationText(length, sequences, batch => new ValidationBatches(corpus, most, batch, length));
    }

    /// <summary>The documents of a file or folder, each behind the start token, end to end: blocks of tokens, evenly spaced.</summary>
    /// <param name="source">Read whole.</param>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="startToken">Stands before every document.</param>
    /// <param name="length">Tokens per sequence.</param>
    /// <param name="most">Sequences wanted; all there are, if they are fewer.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="InvalidDataException">A file cannot be read, or the text is shorter than one sequence.</exception>
    public static EvaluationText Of(
        CorpusSource source,
        Tokenizer tokenizer,
        int startToken,
        int length,
        int most,
        CancellationToken cancellation = default
    )
    {
        var (ids, starts, bytes) = (new List<int>(), new List<bool>(), PreparedCorpus.BytesOf(tokenizer));
        foreach (var piece in CorpusTokens.Read(source, tokenizer, startToken, cancellation))
        {
            ids.AddRange(piece.Ids.Span);
            starts.AddRange(piece.DocumentStarts.Span);
        }
        var blocks = (ids.Count - 1) / length;
        if (blocks == 0)
            throw new InvalidDataException(
                $"{source.Spec} holds {ids.Count} tokens, but one sequence of length {length} needs {(long)length + 1}. Give more text or "
                    + "use shorter sequences."
            );
        var sequences = Math.Min(most, blocks);
        return new EvaluationText(length, sequences, Batches);

        IEnumerable<TokenBatch> Batches(int most)
        {
            for (var first = 0; first < sequences; first += most)
            {
                var batch = new TokenBatch(Math.Min(most, sequences - first), length);
                for (var row = 0; row < batch.Sequences; row++)
                {
                    var from = (int)((long)(first + row) * blocks / sequences) * length;
                    batch.Read(
                        row,
                        CollectionsMarshal.AsSpan(ids).Slice(from, length + 1),
                        CollectionsMarshal.AsSpan(starts).Slice(from, length),
                        bytes
                    );
                }
                yield return batch;
            }
        }
    }

    /// <summary>The sequences. A batch may be filled again for the next.</summary>
    /// <param name="most">Sequences of one batch at most.</param>
    internal IEnumerable<TokenBatch> Batches(int most) => _batches(Math.Min(most, Sequences));
}

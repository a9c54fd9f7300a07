using System.Collections;

namespace Engram.Corpora;

/// <summary>
/// A fixed sample of the validation part: blocks of T ids, evenly spaced, the same for every model and every seed. Each enumeration fills
/// one and the same batch over and over (and one smaller batch where the sequences do not divide evenly).
/// </summary>
public sealed class ValidationBatches : IEnumerable<TokenBatch>
{
    private readonly PreparedCorpus _corpus;
    private readonly long _blocks;
    private readonly int _batchSequences;

    /// <summary>Chooses the blocks.</summary>
    /// <param name="corpus">Stays the caller's.</param>
    /// <param name="count">Sequences wanted; all there are, if they are fewer.</param>
    /// <param name="batchSequences">B, sequences per batch.</param>
    /// <param name="length">T, ids per sequence.</param>
    /// <exception cref="InvalidDataException">The validation part is shorter than one sequence.</exception>
    public ValidationBatches(PreparedCorpus corpus, int count, int batchSequences, int length)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSequences, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        _corpus = corpus;
        _batchSequences = batchSequences;
        Length = length;
        _blocks = corpus.Blocks(corpus.Validation, "validation", length);
        Sequences = (int)Math.Min(count, _blocks);
    }

    /// <summary>T: ids per sequence.</summary>
    public int Length { get; }

    /// <summary>Sequences in the sample.</summary>
    public int Sequences { get; }

    /// <summary>Targets in the sample.</summary>
    public long Tokens => (long)Sequences * Length;

    /// <inheritdoc/>
    public IEnumerator<TokenBatch> GetEnumerator()
    {
        var batch = new TokenBatch(Math.Min(_batchSequences, Sequences), Length);
        for (var first = 0; first < Sequences; first += batch.Sequences)
        {
            if (Sequences - first < batch.Sequences)
                batch = new TokenBatch(Sequences - first, Length);
            batch.Clear();
            for (var row = 0; row < batch.Sequences; row++)
                batch.Read(row, _corpus.Validation, BlockAt(first + row) * Length, _corpus.TokenBytes);
            yield return batch;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // With all blocks taken this is the identity.
    private long BlockAt(int sequence) => (long)((Int128)sequence * _blocks / Sequences);
}

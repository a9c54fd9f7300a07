namespace Engram.Corpora;

/// <summary>
/// Draws training sequences without end. The stream is cut into consecutive blocks of T ids, each with the id after it as the last target,
/// and each epoch visits
/// every block once in its own random order. Packed documents share blocks; <see cref="TokenBatch.DocumentStarts"/> tells them apart.
/// Fewer than T + 1 ids at the end of the stream belong to no block.
/// What is drawn is a function of the stream, T, the seed and <see cref="Position"/> alone, so all models with one seed see the same data
/// in the same order,
/// whatever their batch sizes. Not thread-safe.
/// </summary>
public sealed class BatchSampler
{
    private readonly PreparedCorpus _corpus;
    private readonly ulong _seed;
    private BlockPermutation _order;
    private long _orderEpoch;
    private long _position;

    /// <summary>Starts at the beginning of the first epoch.</summary>
    /// <param name="corpus">Stays the caller's.</param>
    /// <param name="length">T, ids per sequence.</param>
    /// <param name="seed">Of the order.</param>
    /// <exception cref="InvalidDataException">The training part is shorter than one sequence.</exception>
    public BatchSampler(PreparedCorpus corpus, int length, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        _corpus = corpus;
        _seed = seed;
        Length = length;
        BlocksPerEpoch = corpus.Blocks(corpus.Training, "training", length);
        _order = new BlockPermutation(BlocksPerEpoch, seed, 0);
    }

    /// <summary>T: ids per sequence.</summary>
    public int Length { get; }

    /// <summary>Sequences in one pass over the training part.</summary>
    public long BlocksPerEpoch { get; }

    /// <summary>Sequences drawn so far: the whole state. Assign it to resume.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    /// <summary>Fills the batch with the next sequences and moves <see cref="Position"/> on by their number.</summary>
    /// <exception cref="ArgumentException">The batch has another sequence length.</exception>
    /// <exception cref="InvalidDataException">A shard holds an id outside the vocabulary.</exception>
    public void Next(TokenBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Length != Length)
            throw new ArgumentException($"The batch has sequences of {batch.Length} ids, the sampler of {Length}.", nameof(batch));
        batch.Clear();
        for (var row = 0; row < batch.Sequences; row++)
            batch.Read(row, _corpus.Training, BlockAt(_position + row) * Length, _corpus.TokenBytes);
        _position += batch.Sequences;
    }

    private long BlockAt(long position)
    {
        var (epoch, index) = Math.DivRem(position, BlocksPerEpoch);
        if (epoch != _orderEpoch)
            (_order, _orderEpoch) = (new BlockPermutation(BlocksPerEpoch, _seed, epoch), epoch);
        return _order[index];
    }
}

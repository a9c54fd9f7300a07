namespace Engram.Corpora;

/// <summary>The ids of one split, training or validation: its shards end to end. Reading is thread-safe and allocates nothing.</summary>
public sealed class TokenStream : IDisposable
{
    private readonly TokenShard[] _shards;
    private readonly long[] _starts; // of the shards, in ids; one more at the end

    private TokenStream(TokenShard[] shards)
    {
        _shards = shards;
        _starts = new long[shards.Length + 1];
        for (var i = 0; i < shards.Length; i++)
            _starts[i + 1] = _starts[i] + shards[i].Count;
    }

    /// <summary>Ids in the stream, the end-of-text token before each document included.</summary>
    public long Count => _starts[^1];

    /// <summary>Documents in the stream.</summary>
    public long Documents => _shards.Sum(shard => (long)shard.DocumentStarts.Length);

    /// <summary>Opens the shards of a split.</summary>
    /// <param name="paths">The .tok files, in order.</param>
    /// <param name="tokenizerFingerprint">SHA-256 of the tokenizer, 64 hex digits.</param>
    /// <param name="vocabularySize">Ids are below this.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or made with another tokenizer.</exception>
    internal static TokenStream Open(IEnumerable<string> paths, string tokenizerFingerprint, int vocabularySize)
    {
        var shards = new List<TokenShard>();
        try
        {
            foreach (var path in paths)
                shards.Add(TokenShard.Open(path, tokenizerFingerprint, vocabularySize));
            return new TokenStream([.. shards]);
        }
        catch
        {
            shards.ForEach(shard => shard.Dispose());
            throw;
        }
    }

    /// <summary>Copies consecutive ids.</summary>
    /// <param name="start">Index of the first, from 0.</param>
    /// <param name="destination">Receives the ids <paramref name="start"/>, <paramref name="start"/> + 1 and so on.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the stream.</exception>
    /// <exception cref="InvalidDataException">An id is not in the vocabulary: a file is damaged.</exception>
    public void CopyTo(long start, Span<int> destination)
    {
        CheckRange(start, destination.Length);
        for (var shard = ShardAt(start); destination.Length > 0; shard++)
        {
            var part = (int)Math.Min(destination.Length, _starts[shard + 1] - start);
            _shards[shard].CopyTo(start - _starts[shard], destination[..part]);
            destination = destination[part..];
            start += part;
        }
    }

    /// <summary>destination[i] = whether a document begins at id <paramref name="start"/> + i.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the stream.</exception>
    public void CopyDocumentStartsTo(long start, Span<bool> destination)
    {
        CheckRange(start, destination.Length);
        destination.Clear();
        for (var shard = ShardAt(start); destination.Length > 0; shard++)
        {
            var part = (int)Math.Min(destination.Length, _starts[shard + 1] - start);
            var local = start - _starts[shard];
            var documents = _shards[shard].DocumentStarts;
            var next = documents.BinarySearch(local);
            for (var i = next < 0 ? ~next : next; i < documents.Length && documents[i] < local + part; i++)
                destination[(int)(documents[i] - local)] = true;
            destination = destination[part..];
            start += part;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var shard in _shards)
            shard.Dispose();
    }

    private int ShardAt(long index)
    {
        var found = Array.BinarySearch(_starts, index);
        return found < 0 ? ~found - 1 : found;
    }

    private void CheckRange(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Count - length);
    }
}

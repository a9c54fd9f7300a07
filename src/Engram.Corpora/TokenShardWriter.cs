using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Engram.Storage;

namespace Engram.Corpora;

/// <summary>
/// Writes documents into the shards <c>SPLIT-0000.tok</c>, <c>SPLIT-0000.doc</c>, <c>SPLIT-0001.tok</c> and so on (layout:
/// <see cref="TokenShard"/>). A .tok file gets its name last, when the shard is complete and flushed to disk; an unfinished one carries
/// <c>.partial</c> and is deleted by <see cref="Dispose"/>.
/// </summary>
internal sealed class TokenShardWriter : IDisposable
{
    /// <summary>A shard that has reached this many ids is followed by another.</summary>
    private const long DefaultIdsPerShard = 1L << 28;

    private const string Partial = ".partial";

    private readonly string _folder;
    private readonly string _split;
    private readonly byte[] _fingerprint;
    private readonly int _vocabularySize;
    private readonly int _endOfText;
    private readonly long _idsPerShard;
    private readonly int _idBytes;
    private readonly List<long> _documentStarts = [];
    private readonly List<string> _shards = [];
    private FileStream? _tokens;
    private byte[] _buffer = [];
    private long _count;

    /// <summary>Prepares to write into an existing folder.</summary>
    /// <param name="folder">Where the shards go.</param>
    /// <param name="split">First part of their names.</param>
    /// <param name="tokenizerFingerprint">64 hex digits.</param>
    /// <param name="vocabularySize">Ids must be below this; up to 65,536 they take two bytes each, otherwise four.</param>
    /// <param name="endOfText">The id that begins every document.</param>
    /// <param name="idsPerShard">Ids after which the next document begins another shard.</param>
    internal TokenShardWriter(
        string folder,
        string split,
        string tokenizerFingerprint,
        int vocabularySize,
        int endOfText,
        long idsPerShard = DefaultIdsPerShard
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(idsPerShard);
        _folder = folder;
        _split = split;
        _fingerprint = Convert.FromHexString(tokenizerFingerprint);
        if (_fingerprint.Length != 32)
            throw new ArgumentException($"The fingerprint '{tokenizerFingerprint}' is not a SHA-256 in hex.", nameof(tokenizerFingerprint));
        _vocabularySize = vocabularySize;
        _endOfText = endOfText;
        _idsPerShard = idsPerShard;
        _idBytes = vocabularySize <= 1 << 16 ? 2 : 4;
        CheckId(endOfText);
    }

    /// <summary>Names of the finished .tok files, in order.</summary>
    internal IReadOnlyList<string> Shards => _shards;

    /// <summary>Ids appended to all shards, the end-of-text token of each document included.</summary>
    internal long TotalCount { get; private set; }

    /// <summary>Appends the end-of-text token and the ids of one document.</summary>
    internal void Append(ReadOnlySpan<int> ids)
    {
        foreach (var id in ids)
            CheckId(id);
        if (_count >= _idsPerShard)
            FinishShard();
        _tokens ??= BeginShard();
        var bytes = (ids.Length + 1) * _idBytes;
        if (_buffer.Length < bytes)
            _buffer = new byte[Math.Max(bytes, 2 * _buffer.Length)];
        Encode(_endOfText, 0);
        for (var i = 0; i < ids.Length; i++)
            Encode(ids[i], i + 1);
        _tokens.Write(_buffer, 0, bytes);
        _documentStarts.Add(_count);
        _count += ids.Length + 1;
        TotalCount += ids.Length + 1;
    }

    /// <summary>Finishes the last shard. Nothing can be appended afterwards.</summary>
    internal void Complete()
    {
        if (_tokens is not null)
            FinishShard();
    }

    /// <summary>Deletes an unfinished shard.</summary>
    public void Dispose()
    {
        if (_tokens is null)
            return;
        _tokens.Dispose();
        _tokens = null;
        File.Delete(PathOf(".tok") + Partial);
    }

    private FileStream BeginShard()
    {
        var stream = new FileStream(PathOf(".tok") + Partial, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
        stream.Write(new byte[TokenShard.HeaderBytes]);
        return stream;
    }

    private void FinishShard()
    {
        AtomicFile.Write(PathOf(".doc"), file => file.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_documentStarts))));
        _tokens!.Position = 0;
        _tokens.Write(Header());
        _tokens.Flush(flushToDisk: true);
        _tokens.Dispose();
        _tokens = null;
        File.Move(PathOf(".tok") + Partial, PathOf(".tok"), overwrite: true);
        _shards.Add(Path.GetFileName(PathOf(".tok")));
        _documentStarts.Clear();
        _count = 0;
    }

    private byte[] Header()
    {
        var header = new byte[TokenShard.HeaderBytes];
        TokenShard.Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), TokenShard.Version);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), _idBytes);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), _count);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), _documentStarts.Count);
        _fingerprint.CopyTo(header, 32);
        return header;
    }

    private void Encode(int id, int index)
    {
        if (_idBytes == 2)
            BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(index * 2), (ushort)id);
        else
            BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(index * 4), id);
    }

    private void CheckId(int id)
    {
        if ((uint)id >= (uint)_vocabularySize)
            throw new ArgumentOutOfRangeException(nameof(id), id, $"The id is not in the vocabulary of {_vocabularySize}.");
    }

    // The shard being written; its number is that of the finished ones.
    private string PathOf(string extension) => Path.Combine(_folder, $"{_split}-{_shards.Count:D4}{extension}");
}

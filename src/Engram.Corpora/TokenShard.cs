using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Engram.Corpora;

/// <summary>
/// A memory-mapped file of token ids, <c>NAME.tok</c>, and the starts of its documents, <c>NAME.doc</c>. Little-endian, as is every machine
/// that this runs on.
/// <code>
/// NAME.tok   0  8  magic "ENGRTOK" 0
///            8  4  version, 1
///           12  4  bytes per id: 2 (u16) or 4 (u32)
///           16  8  ids
///           24  8  documents
///           32 32  SHA-256 of the tokenizer
///           64     the ids
/// NAME.doc      8  per document: the index of its first id, ascending, the first 0
/// </code>
/// Every document begins with the end-of-text token. Reading is thread-safe.
/// </summary>
internal sealed unsafe class TokenShard : IDisposable
{
    internal const int HeaderBytes = 64;
    internal const int Version = 1;
    internal static ReadOnlySpan<byte> Magic => "ENGRTOK\0"u8;

    private readonly string _path;
    private readonly int _vocabularySize;
    private readonly int _idBytes;
    private readonly long[] _documentStarts;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _ids;

    private TokenShard(string path, int vocabularySize, int idBytes, long[] documentStarts, FileStream stream)
    {
        _path = path;
        _vocabularySize = vocabularySize;
        _idBytes = idBytes;
        _documentStarts = documentStarts;
        Count = (stream.Length - HeaderBytes) / idBytes;
        _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _ids = start + _view.PointerOffset + HeaderBytes;
    }

    /// <summary>Ids in the shard.</summary>
    internal long Count { get; }

    /// <summary>Index of the first id of each document, ascending.</summary>
    internal ReadOnlySpan<long> DocumentStarts => _documentStarts;

    /// <summary>
    /// Opens <paramref name="path"/> and the .doc file beside it and checks all but the ids themselves, which are checked as they are read.
    /// </summary>
    /// <param name="path">The .tok file.</param>
    /// <param name="tokenizerFingerprint">SHA-256 of the tokenizer that the ids belong to: 64 hex digits.</param>
    /// <param name="vocabularySize">Ids are below this.</param>
    /// <exception cref="FileNotFoundException">One of the files is missing.</exception>
    /// <exception cref="InvalidDataException">The files are damaged, of another version, or made with another tokenizer.</exception>
    internal static TokenShard Open(string path, string tokenizerFingerprint, int vocabularySize)
    {
        var stream = OpenRead(path);
        try
        {
            Span<byte> header = stackalloc byte[HeaderBytes];
            if (stream.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes)
                throw Damaged(path, $"{stream.Length} bytes are fewer than the header's {HeaderBytes}");
            if (!header[..8].SequenceEqual(Magic))
                throw Damaged(path, "it does not begin with ENGRTOK");
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) is var version and not Version)
                throw new InvalidDataException(
                    $"{path}: version {version}; this program reads version {Version}. Delete the folder and prepare the data again."
                );
            var idBytes = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
            if (idBytes is not (2 or 4))
                throw Damaged(path, $"{idBytes} bytes per id, expected 2 or 4");
            var count = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
            var documents = BinaryPrimitives.ReadUInt64LittleEndian(header[24..]);
            if (count != (ulong)(stream.Length - HeaderBytes) / idBytes || (stream.Length - HeaderBytes) % idBytes != 0)
                throw Damaged(
                    path,
                    $"the header promises {count} ids of {idBytes} bytes, the file has {stream.Length - HeaderBytes} bytes"
                );
            if (Convert.ToHexStringLower(header[32..]) is var fingerprint && fingerprint != tokenizerFingerprint)
                throw new InvalidDataException(
                    $"{path}: made with the tokenizer {fingerprint}, but the tokenizer here is {tokenizerFingerprint}. Use that tokenizer "
                        + "or prepare the data in another folder."
                );
            return new TokenShard(
                path,
                vocabularySize,
                (int)idBytes,
                ReadStarts(Path.ChangeExtension(path, ".doc"), documents, count),
                stream
            );
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Copies consecutive ids.</summary>
    /// <exception cref="InvalidDataException">An id is not below the vocabulary's size: the file is damaged.</exception>
    internal void CopyTo(long start, Span<int> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Count - destination.Length);
        ObjectDisposedException.ThrowIf(_view.SafeMemoryMappedViewHandle.IsClosed, this);
        if (_idBytes == 2)
        {
            var ids = new ReadOnlySpan<ushort>(_ids + start * 2, destination.Length);
            for (var i = 0; i < ids.Length; i++)
                destination[i] = ids[i];
        }
        else
        {
            new ReadOnlySpan<int>(_ids + start * 4, destination.Length).CopyTo(destination);
        }
        var outside = 0u;
        foreach (var id in destination)
            outside = Math.Max(outside, (uint)id);
        if (outside >= (uint)_vocabularySize)
            throw Damaged(
                _path,
                $"id {outside} between {start} and {start + destination.Length} is not in the vocabulary of {_vocabularySize}"
            );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_view.SafeMemoryMappedViewHandle.IsClosed)
            return;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    private static long[] ReadStarts(string path, ulong documents, ulong count)
    {
        using var stream = OpenRead(path);
        if ((ulong)stream.Length / 8 != documents || stream.Length % 8 != 0 || documents > (ulong)Array.MaxLength)
            throw Damaged(path, $"{stream.Length} bytes do not hold the starts of {documents} documents");
        var starts = new long[documents];
        stream.ReadExactly(MemoryMarshal.AsBytes(starts.AsSpan()));
        for (var i = 0; i < starts.Length; i++)
            if (starts[i] < 0 || (ulong)starts[i] >= count || (i == 0 ? starts[i] != 0 : starts[i] <= starts[i - 1]))
                throw Damaged(path, $"document {i} cannot start at {starts[i]} of {count} ids");
        return starts;
    }

    private static FileStream OpenRead(string path) =>
        File.Exists(path)
            ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read)
            : throw new FileNotFoundException($"{path}: missing. Delete the folder and prepare the data again.", path);

    private static InvalidDataException Damaged(string path, string finding) =>
        new($"{path}: damaged: {finding}. Delete the folder and prepare the data again.");
}

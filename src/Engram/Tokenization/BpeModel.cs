using System.Buffers;
using System.Text;

namespace Engram.Tokenization;

/// <summary>Turns one pre-tokenized piece into ids: UTF-8 bytes, their base tokens, merges.</summary>
internal sealed class BpeModel
{
    private const int StackBytes = 512;

    private readonly TokenTable _vocabulary;
    private readonly int[] _idOfByte;
    private readonly BpeMerger _merger;
    private readonly bool _ignoreMerges;
    private readonly PieceCache? _cache;

    /// <param name="vocabulary">All tokens.</param>
    /// <param name="idOfByte">256 ids, one for each byte.</param>
    /// <param name="merges">In order of rank.</param>
    /// <param name="ignoreMerges">Whether a piece that is a whole vocabulary entry is taken without merging.</param>
    /// <param name="useCache">Off in tests that compare.</param>
    public BpeModel(TokenTable vocabulary, int[] idOfByte, ReadOnlySpan<Merge> merges, bool ignoreMerges, bool useCache = true)
    {
        _vocabulary = vocabulary;
        _idOfByte = idOfByte;
        _merger = new BpeMerger(new MergeTable(merges));
        _ignoreMerges = ignoreMerges;
        _cache = useCache ? new PieceCache() : null;
    }

    /// <summary>Appends the ids of a piece.</summary>
    /// <param name="piece">Valid UTF-16, not empty.</param>
    /// <param name="ids">Receives at most one id a byte.</param>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        var cache = piece.Length <= PieceCache.LongestPiece ? _cache : null;
        if (cache is not null && cache.TryGet(piece, out var known))
        {
            ids.AddRange(known);
            return;
        }

        var rented = piece.Length * 3 > StackBytes ? ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(piece.Length)) : null;
        var buffer = rented ?? stackalloc byte[StackBytes];
        var bytes = buffer[..Encoding.UTF8.GetBytes(piece, buffer)];

        var rentedSymbols = bytes.Length > StackBytes ? ArrayPool<int>.Shared.Rent(bytes.Length) : null;
        var symbols = (rentedSymbols ?? stackalloc int[StackBytes])[..bytes.Length];
        var count = Encode(bytes, symbols);
        ids.AddRange(symbols[..count]);
        cache?.Add(piece, symbols[..count]);

        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        if (rentedSymbols is not null) ArrayPool<int>.Shared.Return(rentedSymbols);
    }

    private int Encode(ReadOnlySpan<byte> bytes, Span<int> symbols)
    {
        if (_ignoreMerges && WholeToken(bytes) is >= 0 and var whole)
        {
            symbols[0] = whole;
            return 1;
        }
        for (var i = 0; i < bytes.Length; i++) symbols[i] = _idOfByte[bytes[i]];
        return _merger.Merge(symbols);
    }

    /// <summary>The token that stands for exactly these bytes, or -1.</summary>
    private int WholeToken(ReadOnlySpan<byte> bytes)
    {
        var rented = bytes.Length > StackBytes ? ArrayPool<byte>.Shared.Rent(bytes.Length * 2) : null;
        var symbols = rented ?? stackalloc byte[StackBytes * 2];
        var id = _vocabulary.Find(symbols[..ByteLevelAlphabet.Encode(bytes, symbols)]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return id;
    }
}

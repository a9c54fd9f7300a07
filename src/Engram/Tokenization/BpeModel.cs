using System.Buffers;
using System.Text;

namespace Engram.Tokenization;

/// <summary>Turns one pre-tokenized piece into ids: UTF-8 bytes, their base tokens, merges.</summary>
internal sealed class BpeModel
{
    private const int StackBytes = 512;

    private readonly TokenTable _vocabulary;
    private readonly ByteIds _bytes;
    private readonly BpeMerger _merger;
    private readonly bool _ignoreMerges;
    private readonly bool _piecesAreSymbols;
    private readonly PieceCache? _cache;

    /// <param name="definition">Vocabulary and merges.</param>
    /// <param name="piecesAreSymbols">Whether pieces are made of the characters that stand for bytes; otherwise they are text.</param>
    /// <param name="useCache">Off in tests that compare.</param>
    /// <exception cref="InvalidDataException">The vocabulary lacks what byte-level encoding needs.</exception>
    public BpeModel(TokenizerDefinition definition, bool piecesAreSymbols = false, bool useCache = true)
    {
        _vocabulary = definition.Tokens;
        _bytes = new ByteIds(definition);
        _merger = new BpeMerger(new MergeTable(definition.Merges));
        _ignoreMerges = definition.IgnoreMerges;
        _piecesAreSymbols = piecesAreSymbols;
        _cache = useCache ? new PieceCache() : null;
    }

    /// <summary>Appends the ids of a piece.</summary>
    /// <param name="piece">Valid UTF-16, not empty.</param>
    /// <param name="ids">Receives at most two ids a byte.</param>
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

        var rentedSymbols = bytes.Length > StackBytes ? ArrayPool<int>.Shared.Rent(bytes.Length * 2) : null;
        var symbols = rentedSymbols ?? stackalloc int[StackBytes * 2];
        var count = Encode(bytes, symbols);
        ids.AddRange(symbols[..count]);
        cache?.Add(piece, symbols[..count]);

        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        if (rentedSymbols is not null)
            ArrayPool<int>.Shared.Return(rentedSymbols);
    }

    private int Encode(ReadOnlySpan<byte> bytes, Span<int> symbols)
    {
        if (_ignoreMerges && WholeToken(bytes) is >= 0 and var whole)
        {
            symbols[0] = whole;
            return 1;
        }
        var count = _piecesAreSymbols ? _bytes.OfSymbols(bytes, symbols) : _bytes.OfBytes(bytes, symbols);
        return _merger.Merge(symbols[..count]);
    }

    /// <summary>The token that stands for exactly this piece, or -1.</summary>
    private int WholeToken(ReadOnlySpan<byte> bytes)
    {
        if (_piecesAreSymbols)
            return _vocabulary.FindInModel(bytes);
        var rented = bytes.Length > StackBytes ? ArrayPool<byte>.Shared.Rent(bytes.Length * 2) : null;
        var symbols = rented ?? stackalloc byte[StackBytes * 2];
        var id = _vocabulary.FindInModel(symbols[..ByteLevelAlphabet.Encode(bytes, symbols)]);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        return id;
    }
}

using System.Runtime.InteropServices;

namespace Engram.Tokenization;

/// <summary>
/// Remembers the ids of recently seen pieces. Each piece has one possible place, chosen by its hash; a newcomer evicts. Entries are
/// immutable and published by one reference write, so threads share the cache without locks, and a lost race costs only a repeated
/// computation.
/// </summary>
internal sealed class PieceCache
{
    /// <summary>Longer pieces are not kept: with the number of places this bounds the memory to some tens of megabytes.</summary>
    public const int LongestPiece = 64;

    private const int Places = 1 << 16;

    private readonly Entry?[] _places = new Entry?[Places];

    private sealed class Entry(string piece, int[] ids)
    {
        public readonly string Piece = piece;
        public readonly int[] Ids = ids;
    }

    public bool TryGet(ReadOnlySpan<char> piece, out ReadOnlySpan<int> ids)
    {
        var entry = Volatile.Read(ref _places[Place(piece)]);
        if (entry is not null && piece.SequenceEqual(entry.Piece))
        {
            ids = entry.Ids;
            return true;
        }
        ids = default;
        return false;
    }

    public void Add(ReadOnlySpan<char> piece, ReadOnlySpan<int> ids) =>
        Volatile.Write(ref _places[Place(piece)], new Entry(piece.ToString(), ids.ToArray()));

    /// <summary>Multiply and fold, four code units at a time. Collisions cost time, never correctness.</summary>
    private static int Place(ReadOnlySpan<char> piece)
    {
        const ulong factor = 0x9E3779B97F4A7C15;
        var hash = (ulong)piece.Length;
        var quads = MemoryMarshal.Cast<char, ulong>(piece);
        foreach (var quad in quads)
            hash = Fold(hash ^ quad);
        foreach (var unit in piece[(quads.Length * 4)..])
            hash = (hash << 16 | hash >> 48) ^ unit;
        return (int)(Fold(hash) & (Places - 1));

        static ulong Fold(ulong value)
        {
            var high = Math.BigMul(value, factor, out var low);
            return high ^ low;
        }
    }
}

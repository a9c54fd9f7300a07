using System.Numerics;
using System.Security.Cryptography;

namespace Engram.Tokenization;

/// <summary>A pair of neighbouring token ids and the token that replaces them.</summary>
/// <param name="Left">Id of the left part.</param>
/// <param name="Right">Id of the right part.</param>
/// <param name="Merged">Id of the concatenation.</param>
internal readonly record struct Merge(int Left, int Right, int Merged);

/// <summary>Looks up the rank of a merge by its pair. Open addressing, 16 bytes a slot, at most half full.</summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that does not merge: larger than any real one.</summary>
    public const int NoMerge = int.MaxValue;

    private readonly Slot[] _slots;

    // One bit for each hash that occurs, eight times as many bits as merges: most pairs do not merge, and this says so without touching the
    // slots, which for a large vocabulary lie outside the inner caches.
    private readonly ulong[] _occurs;

    // Secret, so that a hostile file cannot choose ids that collide. Results do not depend on it.
    private readonly ulong _seed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    private record struct Slot(int Left, int Right, int Rank, int Merged);

    /// <param name="merges">In order of rank. Of a repeated pair the last one counts, as in the reference.</param>
    public MergeTable(ReadOnlySpan<Merge> merges)
    {
        var capacity = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Length * 2));
        _slots = new Slot[capacity];
        _occurs = new ulong[capacity / 16];
        Array.Fill(_slots, new Slot(-1, -1, NoMerge, -1));
        for (var rank = 0; rank < merges.Length; rank++)
        {
            var (left, right, merged) = merges[rank];
            var hash = Hash(left, right);
            _occurs[Word(hash)] |= Bit(hash);
            _slots[Find(left, right, hash)] = new Slot(left, right, rank, merged);
        }
    }

    /// <summary>The rank of a pair, 0 first, or <see cref="NoMerge"/>.</summary>
    /// <param name="left">Id of the left token.</param>
    /// <param name="right">Id of the right token.</param>
    /// <param name="merged">Id of the merged token, or -1.</param>
    public int Rank(int left, int right, out int merged)
    {
        var hash = Hash(left, right);
        if ((_occurs[Word(hash)] & Bit(hash)) == 0)
        {
            merged = -1;
            return NoMerge;
        }
        ref readonly var slot = ref _slots[Find(left, right, hash)];
        merged = slot.Merged;
        return slot.Rank;
    }

    private int Find(int left, int right, ulong hash)
    {
        var slots = _slots;
        var index = (int)hash & (slots.Length - 1);
        while (slots[index].Left >= 0 && (slots[index].Left != left || slots[index].Right != right))
            index = (index + 1) & (slots.Length - 1);
        return index;
    }

    // The slot is chosen by the low bits of the hash, the bit of the filter by the high half.
    private int Word(ulong hash) => (int)(hash >> 38) & (_occurs.Length - 1);

    private static ulong Bit(ulong hash) => 1UL << (int)(hash >> 32);

    /// <summary>The 64-bit finalizer of MurmurHash3.</summary>
    private ulong Hash(int left, int right)
    {
        var hash = (((ulong)(uint)left << 32) | (uint)right) ^ _seed;
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
        return hash ^ (hash >> 33);
    }
}

using System.Buffers;

namespace Engram.Tokenization;

/// <summary>
/// Byte-pair encoding of one piece: while any neighbours merge, merge the pair of lowest rank, leftmost first. Three ways to the same
/// result: <see cref="MergeNaively"/> is the definition, <see cref="MergeByScan"/> serves short pieces, <see cref="MergeByHeap"/> long
/// ones.
/// </summary>
/// <param name="table">The merges.</param>
internal sealed class BpeMerger(MergeTable table)
{
    // Below this length a scan for the smallest rank beats the bookkeeping of a heap.
    private const int LongestScan = 48;

    /// <summary>Merges in place.</summary>
    /// <returns>How many ids remain, at the front of <paramref name="symbols"/>.</returns>
    public int Merge(Span<int> symbols) => symbols.Length <= LongestScan ? MergeByScan(symbols) : MergeByHeap(symbols);

    /// <summary>The definition, quadratic.</summary>
    internal int MergeNaively(Span<int> symbols)
    {
        for (var count = symbols.Length; ; count--)
        {
            var (best, at, merged) = (MergeTable.NoMerge, -1, -1);
            for (var i = 0; i + 1 < count; i++)
            {
                var rank = table.Rank(symbols[i], symbols[i + 1], out var candidate);
                if (rank < best)
                    (best, at, merged) = (rank, i, candidate);
            }
            if (at < 0)
                return count;
            symbols[at] = merged;
            symbols[(at + 2)..count].CopyTo(symbols[(at + 1)..]);
        }
    }

    /// <summary>Quadratic too, but ranks are looked up once and kept beside the symbols.</summary>
    internal int MergeByScan(Span<int> symbols)
    {
        var count = symbols.Length;
        if (count < 2)
            return count;
        Span<int> ranks = stackalloc int[LongestScan];
        Span<int> merged = stackalloc int[LongestScan];
        for (var i = 0; i + 1 < count; i++)
            ranks[i] = table.Rank(symbols[i], symbols[i + 1], out merged[i]);

        while (true)
        {
            var (best, at) = (MergeTable.NoMerge, -1);
            for (var i = 0; i + 1 < count; i++)
                if (ranks[i] < best)
                    (best, at) = (ranks[i], i);
            if (at < 0)
                return count;

            symbols[at] = merged[at];
            symbols[(at + 2)..count].CopyTo(symbols[(at + 1)..]);
            ranks[(at + 2)..count].CopyTo(ranks[(at + 1)..]);
            merged[(at + 2)..count].CopyTo(merged[(at + 1)..]);
            count--;
            if (at + 1 < count)
                ranks[at] = table.Rank(symbols[at], symbols[at + 1], out merged[at]);
            if (at > 0)
                ranks[at - 1] = table.Rank(symbols[at - 1], symbols[at], out merged[at - 1]);
        }
    }

    /// <summary>
    /// O(n log n): a heap of (rank, position) over a linked list. An entry whose rank is no longer that of its position is stale.
    /// </summary>
    internal int MergeByHeap(Span<int> symbols)
    {
        var count = symbols.Length;
        if (count < 2)
            return count;
        var pool = ArrayPool<int>.Shared;
        var (next, previous, ranks, merged) = (pool.Rent(count), pool.Rent(count), pool.Rent(count), pool.Rent(count));
        // Every merge takes one key and leaves at most two.
        var keys = ArrayPool<ulong>.Shared.Rent(2 * count);
        var queue = new MergeQueue(keys);
        for (var i = 0; i < count; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
            ranks[i] = MergeTable.NoMerge;
            if (i + 1 < count)
                Update(symbols, i, i + 1, ref queue);
        }

        while (queue.TryPop(out var key))
        {
            var at = (int)(uint)key;
            if (ranks[at] != (int)(key >> 32))
                continue;
            var gone = next[at];
            var after = next[gone];
            symbols[at] = merged[at];
            next[at] = after;
            ranks[gone] = MergeTable.NoMerge;
            ranks[at] = MergeTable.NoMerge;
            if (after < count)
            {
                previous[after] = at;
                Update(symbols, at, after, ref queue);
            }
            if (previous[at] >= 0)
                Update(symbols, previous[at], at, ref queue);
        }

        var kept = 0;
        for (var i = 0; i < count; i = next[i])
            symbols[kept++] = symbols[i];
        pool.Return(next);
        pool.Return(previous);
        pool.Return(ranks);
        pool.Return(merged);
        ArrayPool<ulong>.Shared.Return(keys);
        return kept;

        // Rank in the high half, position in the low: the natural order is lowest rank, then leftmost.
        void Update(Span<int> ids, int left, int right, ref MergeQueue waiting)
        {
            var rank = table.Rank(ids[left], ids[right], out merged[left]);
            ranks[left] = rank;
            if (rank != MergeTable.NoMerge)
                waiting.Push(((ulong)rank << 32) | (uint)left);
        }
    }
}

using System.Text;

namespace Engram.Tokenization;

/// <summary>Two neighbouring symbols.</summary>
/// <param name="Left">Id of the left one.</param>
/// <param name="Right">Id of the right one.</param>
internal readonly record struct SymbolPair(int Left, int Right) : IComparable<SymbolPair>
{
    private ulong Packed => ((ulong)(uint)Left << 32) | (uint)Right;

    public int CompareTo(SymbolPair other) => Packed.CompareTo(other.Packed);

    public bool Equals(SymbolPair other) => Packed == other.Packed;

    public override int GetHashCode() => (int)((Packed * 0x9E3779B97F4A7C15) >> 32);
}

/// <summary>
/// The different pieces of a corpus as rows of symbols, and for every pair of neighbours how often it occurs and where. Merging a pair
/// rewrites the rows that hold it and adjusts the counts of the pairs it touches; all other rows stay untouched.
/// </summary>
internal sealed class MergeableWords
{
    private readonly int[] _symbols; // all rows in one array; a row only shrinks
    private readonly int[] _starts;
    private readonly int[] _lengths;
    private readonly long[] _counts;
    private readonly Func<SymbolPair, bool> _mayMerge;
    private readonly Dictionary<SymbolPair, Occurrences> _pairs = [];
    private readonly PriorityQueue<SymbolPair, (long Count, SymbolPair Pair)> _queue = new(new MostFrequentFirst());
    private readonly List<SymbolPair> _grown = [];

    private sealed class Occurrences
    {
        public long Count;
        public bool Merged;
        public bool Grown; // waits in _grown to be queued
        public List<int> Words = []; // may name rows that no longer hold the pair, or one twice
    }

    private sealed class MostFrequentFirst : IComparer<(long Count, SymbolPair Pair)>
    {
        public int Compare((long Count, SymbolPair Pair) x, (long Count, SymbolPair Pair) y) =>
            x.Count != y.Count ? y.Count.CompareTo(x.Count) : x.Pair.CompareTo(y.Pair);
    }

    /// <param name="pieces">The corpus.</param>
    /// <param name="idOfByte">Symbol of each byte.</param>
    /// <param name="mayMerge">Whether a pair counts at all.</param>
    public MergeableWords(PieceCounts pieces, int[] idOfByte, Func<SymbolPair, bool> mayMerge)
    {
        _mayMerge = mayMerge;
        var sorted = pieces.Sorted();
        _starts = new int[sorted.Length];
        _lengths = new int[sorted.Length];
        _counts = new long[sorted.Length];
        _symbols = new int[sorted.Sum(entry => Encoding.UTF8.GetByteCount(entry.Piece))];
        var end = 0;
        for (var word = 0; word < sorted.Length; word++)
        {
            _starts[word] = end;
            _counts[word] = sorted[word].Count;
            foreach (var value in Encoding.UTF8.GetBytes(sorted[word].Piece))
                _symbols[end++] = idOfByte[value];
            _lengths[word] = end - _starts[word];
            for (var i = _starts[word]; i + 1 < end; i++)
                Grow(new SymbolPair(_symbols[i], _symbols[i + 1]), word);
        }
        QueueGrown();
    }

    /// <summary>Finds the pair with the highest count, the smaller one of equals.</summary>
    /// <returns>Its count; 0 when no pair is left.</returns>
    public long MostFrequentPair(out SymbolPair pair)
    {
        while (_queue.TryDequeue(out pair, out var priority))
        {
            // Counts fall after a pair was queued; a stale entry goes back with its present count.
            var count = _pairs[pair].Count;
            if (count == priority.Count)
                return count;
            if (count > 0)
                _queue.Enqueue(pair, (count, pair));
        }
        return 0;
    }

    /// <summary>Replaces a pair by one symbol everywhere, from left to right.</summary>
    /// <returns>Whether this pair is merged for the first time; a reused symbol can bring one back.</returns>
    public bool Merge(SymbolPair pair, int merged)
    {
        var occurrences = _pairs[pair];
        foreach (var word in occurrences.Words)
            MergeInWord(word, pair, merged);
        occurrences.Count = 0;
        occurrences.Words = [];
        QueueGrown();
        var first = !occurrences.Merged;
        occurrences.Merged = true;
        return first;
    }

    private void MergeInWord(int word, SymbolPair pair, int merged)
    {
        var row = _symbols.AsSpan(_starts[word], _lengths[word]);
        var kept = 0;
        for (var i = 0; i < row.Length; )
        {
            if (i + 1 == row.Length || row[i] != pair.Left || row[i + 1] != pair.Right)
            {
                row[kept++] = row[i++];
                continue;
            }
            if (kept > 0)
            {
                Shrink(new SymbolPair(row[kept - 1], pair.Left), word);
                Grow(new SymbolPair(row[kept - 1], merged), word);
            }
            if (i + 2 < row.Length)
            {
                Shrink(new SymbolPair(pair.Right, row[i + 2]), word);
                Grow(new SymbolPair(merged, row[i + 2]), word);
            }
            row[kept++] = merged;
            i += 2;
        }
        _lengths[word] = kept;
    }

    private void Grow(SymbolPair pair, int word)
    {
        if (!_pairs.TryGetValue(pair, out var occurrences))
        {
            if (!_mayMerge(pair))
                return;
            _pairs.Add(pair, occurrences = new Occurrences());
        }
        occurrences.Count += _counts[word];
        if (occurrences.Words.Count == 0 || occurrences.Words[^1] != word)
            occurrences.Words.Add(word);
        if (occurrences.Grown)
            return;
        occurrences.Grown = true;
        _grown.Add(pair);
    }

    private void Shrink(SymbolPair pair, int word)
    {
        if (_pairs.TryGetValue(pair, out var occurrences))
            occurrences.Count -= _counts[word];
    }

    private void QueueGrown()
    {
        foreach (var pair in _grown)
        {
            var occurrences = _pairs[pair];
            occurrences.Grown = false;
            if (occurrences.Count > 0)
                _queue.Enqueue(pair, (occurrences.Count, pair));
        }
        _grown.Clear();
    }
}

using System.Runtime.InteropServices;

namespace Engram.Tokenization;

/// <summary>How often each different piece occurs in a corpus.</summary>
internal readonly struct PieceCounts : IPieceSink
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> _bySpan;

    public PieceCounts() => _bySpan = _counts.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Number of different pieces.</summary>
    public int Distinct => _counts.Count;

    /// <summary>Counts a piece once.</summary>
    public void Add(ReadOnlySpan<char> piece) => Add(piece, 1);

    /// <summary>Counts a piece several times.</summary>
    public void Add(ReadOnlySpan<char> piece, long occurrences) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_bySpan, piece, out _) += occurrences;

    /// <summary>All pieces in ordinal order, so that nothing depends on the order of the corpus.</summary>
    public (string Piece, long Count)[] Sorted()
    {
        var sorted = _counts.Select(entry => (entry.Key, entry.Value)).ToArray();
        Array.Sort(sorted, (a, b) => string.CompareOrdinal(a.Key, b.Key));
        return sorted;
    }
}

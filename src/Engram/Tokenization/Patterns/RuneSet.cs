using System.Text;

namespace Engram.Tokenization.Patterns;

/// <summary>
/// Membership in a set of scalars, made for speed: a bit for every code unit of the basic plane, a search among ranges beyond it.
/// </summary>
internal sealed class RuneSet
{
    // Sets of few ranges are searched everywhere and need no table.
    private const int FewRanges = 2;

    private readonly (int First, int Last)[] _ranges;
    private readonly ulong[]? _plane;

    public RuneSet(RuneRanges ranges)
    {
        Ranges = ranges;
        _ranges = [.. Enumerable.Range(0, ranges.Count).Select(range => ranges[range])];
        if (_ranges.Length <= FewRanges)
            return;
        _plane = new ulong[0x10000 / 64];
        foreach (var (first, last) in _ranges)
            for (var value = first; value <= Math.Min(last, 0xFFFF); value++)
                _plane[value >> 6] |= 1UL << value;
    }

    /// <summary>The members.</summary>
    public RuneRanges Ranges { get; }

    public bool Contains(int scalar)
    {
        if (_plane is { } plane && scalar < 0x10000)
            return (plane[scalar >> 6] >> scalar & 1) != 0;
        if (_ranges.Length > FewRanges)
            return Ranges.Contains(scalar);
        foreach (var (first, last) in _ranges)
            if (scalar >= first && scalar <= last)
                return true;
        return false;
    }

    /// <summary>Length in code units of the rune at <paramref name="at"/> if it is a member, otherwise 0.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="at">A rune boundary, or the end.</param>
    public int LengthAt(ReadOnlySpan<char> text, int at)
    {
        if ((uint)at >= (uint)text.Length)
            return 0;
        var unit = text[at];
        if (!char.IsHighSurrogate(unit) || at + 1 == text.Length)
            return Contains(unit) ? 1 : 0;
        return Contains(new Rune(unit, text[at + 1]).Value) ? 2 : 0;
    }

    /// <summary>End of the run of at most <paramref name="most"/> members from <paramref name="at"/> on.</summary>
    public int RunEnd(ReadOnlySpan<char> text, int at, int most)
    {
        if (_plane is { } plane && most == int.MaxValue)
            while (at < text.Length && !char.IsSurrogate(text[at]) && (plane[text[at] >> 6] >> text[at] & 1) != 0)
                at++;
        for (var count = 0; count < most && LengthAt(text, at) is > 0 and var length; count++)
            at += length;
        return at;
    }
}

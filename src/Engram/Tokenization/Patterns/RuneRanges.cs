namespace Engram.Tokenization.Patterns;

/// <summary>
/// A set of Unicode scalar values as a list of ranges, for building classes: union, intersection, complement. Ends alternate: members begin
/// at even places of the list and stop before the value at the odd place behind. Immutable.
/// </summary>
internal sealed class RuneRanges
{
    private const int Limit = 0x110000;

    // Ascending and distinct; an even count.
    private readonly int[] _ends;

    private RuneRanges(int[] ends) => _ends = ends;

    /// <summary>Nothing.</summary>
    public static RuneRanges None { get; } = new([]);

    /// <summary>Every scalar.</summary>
    public static RuneRanges All { get; } = new([0, Limit]);

    /// <summary>Number of ranges.</summary>
    public int Count => _ends.Length / 2;

    /// <summary>First and last member of a range.</summary>
    public (int First, int Last) this[int range] => (_ends[2 * range], _ends[(2 * range) + 1] - 1);

    /// <summary>The scalars from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public static RuneRanges Of(int first, int last) => new([first, last + 1]);

    /// <summary>One scalar.</summary>
    public static RuneRanges Of(int scalar) => Of(scalar, scalar);

    /// <summary>Ranges in ascending order that do not touch, as pairs of first and last.</summary>
    public static RuneRanges OfAscending(IEnumerable<(int First, int Last)> ranges)
    {
        var ends = new List<int>();
        foreach (var (first, last) in ranges)
        {
            if (ends.Count > 0 && ends[^1] == first)
                ends[^1] = last + 1;
            else
                ends.AddRange([first, last + 1]);
        }
        return new RuneRanges([.. ends]);
    }

    public bool Contains(int scalar)
    {
        var at = Array.BinarySearch(_ends, scalar);
        return ((at >= 0 ? at + 1 : ~at) & 1) != 0;
    }

    public RuneRanges Union(RuneRanges other) => Combine(other, (a, b) => a | b);

    public RuneRanges Intersection(RuneRanges other) => Combine(other, (a, b) => a & b);

    /// <summary>What belongs to one of the two sets only.</summary>
    public RuneRanges Difference(RuneRanges other) => Combine(other, (a, b) => a ^ b);

    public RuneRanges Complement() => Combine(None, (a, _) => !a);

    private RuneRanges Combine(RuneRanges other, Func<bool, bool, bool> member)
    {
        var (left, right) = (_ends, other._ends);
        var result = new List<int>(left.Length + right.Length + 2);
        var (i, j, inside, at) = (0, 0, false, 0);
        while (at < Limit)
        {
            while (i < left.Length && left[i] <= at)
                i++;
            while (j < right.Length && right[j] <= at)
                j++;
            if (member((i & 1) != 0, (j & 1) != 0) != inside)
            {
                result.Add(at);
                inside = !inside;
            }
            at = Math.Min(i < left.Length ? left[i] : Limit, j < right.Length ? right[j] : Limit);
        }
        if (inside)
            result.Add(Limit);
        return new RuneRanges([.. result]);
    }
}

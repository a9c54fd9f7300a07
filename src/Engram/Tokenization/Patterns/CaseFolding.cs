namespace Engram.Tokenization.Patterns;

/// <summary>
/// Which scalars, and rows of scalars, are the same when a pattern ignores case (Unicode's full case folding, as Oniguruma applies it).
/// </summary>
internal static class CaseFolding
{
    private static readonly Lazy<Dictionary<int, int[]>> Groups = new(() =>
    {
        var equals = new Dictionary<int, int[]>();
        foreach (var group in UnicodeTable.EqualScalars())
        foreach (var scalar in group)
            equals.TryAdd(scalar, group);
        return equals;
    });

    private static readonly Lazy<(int Scalar, int[] Row)[]> AllRows = new(() => [.. UnicodeTable.EqualRows()]);

    /// <summary>Every row with the scalar that equals it.</summary>
    public static IReadOnlyList<(int Scalar, int[] Row)> Rows => AllRows.Value;

    /// <summary>A scalar and those equal to it.</summary>
    public static RuneRanges Of(int scalar) =>
        Groups.Value.TryGetValue(scalar, out var group)
            ? group.Aggregate(RuneRanges.None, (set, member) => set.Union(RuneRanges.Of(member)))
            : RuneRanges.Of(scalar);

    /// <summary>A set and everything equal to a member.</summary>
    public static RuneRanges Closure(RuneRanges set)
    {
        var added = Groups
            .Value.Where(entry => !set.Contains(entry.Key) && entry.Value.Any(set.Contains))
            .Select(entry => entry.Key)
            .Order();
        return set.Union(RuneRanges.OfAscending(added.Select(scalar => (scalar, scalar))));
    }

    public static bool AreEqual(int left, int right) =>
        left == right || (Groups.Value.TryGetValue(left, out var group) && group.Contains(right));
}

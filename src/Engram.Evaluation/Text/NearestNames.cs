namespace Engram.Evaluation.Text;

/// <summary>Which known names a mistyped one may mean.</summary>
internal static class NearestNames
{
    private const int Most = 3;

    /// <summary>The known names nearest to a name: a third of its letters may differ, or it begins or ends one of them.</summary>
    /// <param name="name">Not one of them.</param>
    /// <param name="known">All names.</param>
    /// <returns>At most three, the nearest first.</returns>
    public static IReadOnlyList<string> Of(string name, IEnumerable<string> known) =>
        [
            .. known
                .Select(other => (Name: other, Distance: Distance(name.ToLowerInvariant(), other.ToLowerInvariant())))
                .Where(one =>
                    one.Distance <= Math.Max(name.Length > 2 ? 1 : 0, name.Length / 3)
                    || (name.Length > 2 && one.Name.StartsWith(name, StringComparison.OrdinalIgnoreCase))
                    || (name.Length > 2 && one.Name.EndsWith(name, StringComparison.OrdinalIgnoreCase))
                )
                .OrderBy(one => one.Distance)
                .ThenBy(one => one.Name, StringComparer.Ordinal)
                .Take(Most)
                .Select(one => one.Name),
        ];

    /// <summary>" Did you mean "prompt"?", or nothing where no name is near.</summary>
    public static string Ask(string name, IEnumerable<string> known) =>
        Of(name, known) is { Count: > 0 } near ? $" Did you mean {string.Join(" or ", near.Select(one => $"\"{one}\""))}?" : "";

    /// <summary>Levenshtein's distance, where two letters that have changed places count once.</summary>
    private static int Distance(string one, string other)
    {
        var cost = new int[one.Length + 1, other.Length + 1];
        for (var i = 0; i <= one.Length; i++)
        for (var j = 0; j <= other.Length; j++)
        {
            if (i == 0 || j == 0)
            {
                cost[i, j] = i + j;
                continue;
            }
            var replaced = cost[i - 1, j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
            cost[i, j] = Math.Min(replaced, 1 + Math.Min(cost[i - 1, j], cost[i, j - 1]));
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                cost[i, j] = Math.Min(cost[i, j], 1 + cost[i - 2, j - 2]);
        }
        return cost[one.Length, other.Length];
    }
}

namespace Engram.Tokenization.Patterns;

/// <summary>
/// Replaces letters whose case is ignored by what they match: their other cases, and where Unicode says so one letter for several or
/// several for one.
/// </summary>
internal static class LetterRows
{
    private const int Longest = 500;

    /// <summary>A letter as a part of its own.</summary>
    public static PatternNode Single(PatternNode part) => part is PatternNode.Letter letter ? Of([letter.Scalar]) : part;

    /// <summary>Parts in which every row of neighbouring letters is replaced.</summary>
    public static IEnumerable<PatternNode> Replaced(IReadOnlyList<PatternNode> parts)
    {
        for (var at = 0; at < parts.Count; )
        {
            var letters = parts
                .Skip(at)
                .TakeWhile(part => part is PatternNode.Letter)
                .Select(part => ((PatternNode.Letter)part).Scalar)
                .ToArray();
            yield return letters.Length > 0 ? Of(letters) : parts[at];
            at += Math.Max(1, letters.Length);
        }
    }

    /// <summary>What a row of letters matches.</summary>
    public static PatternNode Of(ReadOnlySpan<int> letters)
    {
        if (letters.Length > Longest)
            throw new FormatException($"ignores the case of a text of more than {Longest} letters, which is not supported");
        // From the end, so that what follows a place is ready and shared by all that lead to it.
        var rest = new PatternNode[letters.Length + 1];
        rest[letters.Length] = new PatternNode.Row([]);
        for (var at = letters.Length - 1; at >= 0; at--)
        {
            var choices = new List<PatternNode> { Joined(new PatternNode.One(CaseFolding.Of(letters[at])), rest[at + 1]) };
            foreach (var (scalar, row) in CaseFolding.Rows)
            {
                if (Begins(letters[at..], row))
                    choices.Add(Joined(new PatternNode.One(CaseFolding.Of(scalar)), rest[at + row.Length]));
                if (scalar == letters[at])
                    choices.Add(
                        Joined(new PatternNode.Row([.. row.Select(letter => new PatternNode.One(CaseFolding.Of(letter)))]), rest[at + 1])
                    );
            }
            rest[at] = choices.Count == 1 ? choices[0] : new PatternNode.Choice(choices);
        }
        return rest[0];
    }

    private static PatternNode.Row Joined(PatternNode first, PatternNode rest) =>
        new([first, .. rest is PatternNode.Row row ? row.Parts : [rest]]);

    private static bool Begins(ReadOnlySpan<int> letters, int[] row)
    {
        if (letters.Length < row.Length)
            return false;
        for (var i = 0; i < row.Length; i++)
            if (!CaseFolding.AreEqual(letters[i], row[i]))
                return false;
        return true;
    }
}

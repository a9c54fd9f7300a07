namespace Engram.Tokenization.Patterns;

/// <summary>What a regular expression says, as a tree.</summary>
internal abstract record PatternNode
{
    /// <summary>One rune of a set.</summary>
    public sealed record One(RuneRanges Set) : PatternNode;

    /// <summary>
    /// A letter whose case is ignored, while a pattern is read: a row of such letters is replaced as a whole, because a row may equal a
    /// single letter.
    /// </summary>
    public sealed record Letter(int Scalar) : PatternNode;

    /// <summary>One part after the other.</summary>
    public sealed record Row(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>The first part that leads to a match.</summary>
    public sealed record Choice(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>A part several times. <see cref="Most"/> is <see cref="int.MaxValue"/> for no limit.</summary>
    public sealed record Repeated(PatternNode Part, int Least, int Most, Greed Greed) : PatternNode;

    /// <summary>A condition on what follows or, with <see cref="Behind"/>, on what precedes.</summary>
    public sealed record Look(PatternNode Part, bool Behind, bool Negated) : PatternNode;

    /// <summary>A part whose first match is final.</summary>
    public sealed record Atomic(PatternNode Part) : PatternNode;

    /// <summary>A condition on the place.</summary>
    public sealed record At(Place Place) : PatternNode;

    /// <summary>Whether this can match nothing.</summary>
    public bool CanBeEmpty =>
        this switch
        {
            One or Letter => false,
            Row row => row.Parts.All(part => part.CanBeEmpty),
            Choice choice => choice.Parts.Any(part => part.CanBeEmpty),
            Repeated repeated => repeated.Least == 0 || repeated.Part.CanBeEmpty,
            Atomic atomic => atomic.Part.CanBeEmpty,
            _ => true,
        };

    /// <summary>Every rune a match can begin with; everything when it can be empty.</summary>
    public RuneRanges First =>
        this switch
        {
            _ when CanBeEmpty => RuneRanges.All,
            One one => one.Set,
            Choice choice => choice.Parts.Aggregate(RuneRanges.None, (set, part) => set.Union(part.First)),
            Row row => FirstOfRow(row),
            Repeated repeated => repeated.Part.First,
            Atomic atomic => atomic.Part.First,
            _ => RuneRanges.All,
        };

    /// <summary>Fewest and most runes of a match; no limit is <see cref="int.MaxValue"/>.</summary>
    public (long Least, long Most) Length =>
        this switch
        {
            One => (1, 1),
            Row row => (row.Parts.Sum(part => part.Length.Least), Math.Min(int.MaxValue, row.Parts.Sum(part => part.Length.Most))),
            Choice choice => (choice.Parts.Min(part => part.Length.Least), choice.Parts.Max(part => part.Length.Most)),
            Repeated repeated => (
                repeated.Part.Length.Least * repeated.Least,
                Math.Min(int.MaxValue, repeated.Part.Length.Most * repeated.Most)
            ),
            Atomic atomic => atomic.Part.Length,
            _ => (0, 0),
        };

    private static RuneRanges FirstOfRow(Row row)
    {
        var first = RuneRanges.None;
        foreach (var part in row.Parts)
        {
            // What an optional part begins with counts too; a condition takes nothing away.
            if (part is not (Look or At))
                first = first.Union(part is Repeated { Least: 0 } optional ? optional.Part.First : part.First);
            if (!part.CanBeEmpty)
                break;
        }
        return first;
    }
}

/// <summary>How much a repetition takes, and whether it gives back.</summary>
internal enum Greed : byte
{
    /// <summary>As much as it can, less when the rest needs it.</summary>
    Greedy,

    /// <summary>As little as it can.</summary>
    Lazy,

    /// <summary>As much as it can, for good.</summary>
    Possessive,
}

/// <summary>Conditions on a place in the text.</summary>
internal enum Place : byte
{
    /// <summary>\A</summary>
    TextStart,

    /// <summary>\z</summary>
    TextEnd,

    /// <summary>\Z: the end, or before a line feed that ends the text.</summary>
    LastLineEnd,

    /// <summary>^</summary>
    LineStart,

    /// <summary>$</summary>
    LineEnd,

    /// <summary>\b</summary>
    WordBoundary,

    /// <summary>\B</summary>
    NoWordBoundary,

    /// <summary>\G: where the search began.</summary>
    SearchStart,
}

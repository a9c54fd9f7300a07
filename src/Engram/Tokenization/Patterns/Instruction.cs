namespace Engram.Tokenization.Patterns;

/// <summary>What a compiled pattern does at one step.</summary>
internal enum Operation : byte
{
    /// <summary>Take one rune of the set.</summary>
    Take,

    /// <summary>
    /// Take between <c>Least</c> and <c>Most</c> runes of the set: as many as there are, one less each time the rest fails.
    /// </summary>
    Run,

    /// <summary>Take as many runes of the set as there are, for good.</summary>
    FinalRun,

    /// <summary>Try <c>First</c>, then <c>Second</c>.</summary>
    Branch,

    /// <summary>Go on at <c>First</c>.</summary>
    Jump,

    /// <summary>
    /// Go on at <c>First</c> if what follows this instruction, up to its Accept, matches (or, negated, does not match) here.
    /// </summary>
    LookAhead,

    /// <inheritdoc cref="LookAhead"/>
    NoLookAhead,

    /// <summary>The same, for a match of <c>Least</c> to <c>Most</c> runes that ends here.</summary>
    LookBehind,

    /// <inheritdoc cref="LookBehind"/>
    NoLookBehind,

    /// <summary>Match what follows this instruction, up to its Accept; go on at <c>First</c> behind that match, for good.</summary>
    Atomic,

    /// <summary>Go on if the place fulfils the condition.</summary>
    Assert,

    /// <summary>The pattern, or the part that a condition asks about, has matched.</summary>
    Accept,
}

/// <param name="Operation">What to do.</param>
/// <param name="First">A target.</param>
/// <param name="Second">Another target.</param>
/// <param name="Least">Fewest runes.</param>
/// <param name="Most">Most runes.</param>
/// <param name="Set">Runes to take; of a branch, those that its first target can begin with, or null for any.</param>
/// <param name="SecondSet">The same of the second target.</param>
/// <param name="Place">A condition.</param>
/// <param name="Number">Of a branch and of a run: its number among them.</param>
internal readonly record struct Instruction(
    Operation Operation,
    int First = 0,
    int Second = 0,
    int Least = 0,
    int Most = 0,
    RuneSet? Set = null,
    RuneSet? SecondSet = null,
    Place Place = default,
    int Number = 0
);

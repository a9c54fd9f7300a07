namespace Engram.Addressing;

/// <summary>
/// How far back the memory may look: the one rule of dead positions and document starts, for n-gram windows and for the convolution behind
/// them.
/// </summary>
public static class Lookback
{
    /// <summary>The age of a dead position, and of whatever lies before the first position of a sequence.</summary>
    public const int Nothing = -1;

    /// <summary>
    /// The age of a position: how many positions before it the memory may look back to. It grows by one per position and begins anew, at 0,
    /// at the first position of a sequence, at the first one of a document and behind a dead one.
    /// </summary>
    /// <param name="previous">Age of the position before; <see cref="Nothing"/> at the very start.</param>
    /// <param name="dead">Whether the position is dead: it reads no row, nothing is added there, and nobody looks past it.</param>
    /// <param name="startsDocument">Whether a document begins at the position.</param>
    public static int Age(int previous, bool dead, bool startsDocument) =>
        dead ? Nothing
        : startsDocument ? 0
        : previous + 1;
}

namespace Engram.Tables.Training;

/// <summary>What an optimizer does with the rows that a step did not read, whose gradient is zero.</summary>
public enum RowUpdates
{
    /// <summary>Nothing: they keep value and state, and each row counts its own updates.</summary>
    Lazy,

    /// <summary>
    /// Their moments decay and they move by what is left of them, at every step. The reference; a step costs as much as the table has rows
    /// with state.
    /// </summary>
    Dense,

    /// <summary>
    /// The same, bit for bit, but computed when a row is next read or the table saved: see <see
    /// cref="RowOptimizer.CatchUp(ReadOnlySpan{long}, int?)"/>.
    /// </summary>
    Deferred,
}

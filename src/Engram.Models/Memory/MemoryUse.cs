namespace Engram.Models.Memory;

/// <summary>What a trained model's memory does when the model is used: as trained, or one of the controls.</summary>
public enum MemoryUse
{
    /// <summary>As trained.</summary>
    On,

    /// <summary>Nothing is added to the residual streams.</summary>
    Off,

    /// <summary>The rows of each head are permuted: the tables keep their statistics and lose their knowledge.</summary>
    ShuffledRows,

    /// <summary>Every row keeps its norm and points in a random direction (<see cref="Engram.Tables.RandomRows"/>).</summary>
    RandomRows,

    /// <summary>
    /// Canonical ids are exchanged before they are hashed: every n-gram reads, always, the rows of another one. The tables stay as they
    /// are.
    /// </summary>
    PermutedKeys,

    /// <summary>Every n-gram reads the mean row of its head: what remains is the table's mean.</summary>
    OneRow,
}

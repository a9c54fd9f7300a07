namespace Engram.Tables.Training;

/// <summary>What trains the tables of a model.</summary>
public enum TableOptimizer
{
    /// <summary><see cref="RowAdam"/>: lazy, two moments a value.</summary>
    Adam,

    /// <summary>The same for every row at every step, read or not (<see cref="RowUpdates.Dense"/>): the reference, for small tables.</summary>
    DenseAdam,

    /// <summary><see cref="DenseAdam"/> to the bit, computed when rows are read again (<see cref="RowUpdates.Deferred"/>).</summary>
    DeferredAdam,

    /// <summary><see cref="RowAdagrad"/>: lazy, one number a row.</summary>
    Adagrad,

    /// <summary><see cref="RowSinkhorn"/>: momentum, balanced over the whole table, one moment a value.</summary>
    Sinkhorn,
}

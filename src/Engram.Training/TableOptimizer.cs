namespace Engram.Training;

/// <summary>What trains the tables; everything else has the <see cref="Optimizers.MatrixOptimizer"/> and AdamW.</summary>
public enum TableOptimizer
{
    /// <summary><see cref="Tables.Training.RowAdam"/>: lazy, two moments a value.</summary>
    Adam,

    /// <summary>The same for every row at every step, read or not (<see cref="Tables.Training.RowUpdates.Dense"/>): the reference, for small tables.</summary>
    DenseAdam,

    /// <summary><see cref="DenseAdam"/> to the bit, computed when rows are read again (<see cref="Tables.Training.RowUpdates.Deferred"/>).</summary>
    DeferredAdam,

    /// <summary><see cref="Tables.Training.RowAdagrad"/>: lazy, one number a row.</summary>
    Adagrad,

    /// <summary><see cref="Tables.Training.RowSinkhorn"/>: momentum, balanced over the whole table, one moment a value.</summary>
    Sinkhorn,
}

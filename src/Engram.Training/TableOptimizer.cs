namespace Engram.Training;

/// <summary>What trains the tables; everything else has the <see cref="Optimizers.MatrixOptimizer"/> and AdamW.</summary>
public enum TableOptimizer
{
    /// <summary><see cref="Tables.Training.RowAdam"/>: lazy, two moments a value.</summary>
    Adam,

    /// <summary><see cref="Tables.Training.RowAdagrad"/>: lazy, one number a row.</summary>
    Adagrad,

    /// <summary><see cref="Tables.Training.RowSinkhorn"/>: momentum, balanced over the whole table, one moment a value.</summary>
    Sinkhorn,
}

using System.Text.Json.Serialization;

namespace Engram.Tables.Training;

/// <summary>What trains the tables of a model.</summary>
public enum TableOptimizer
{
    /// <summary><see cref="RowAdam"/>: lazy, two moments a value.</summary>
    [JsonStringEnumMemberName("adam")]
    Adam,

    /// <summary>
    /// The same for every row at every step, read or not (<see cref="RowUpdates.Dense"/>): the reference, for small tables.
    /// </summary>
    [JsonStringEnumMemberName("dense_adam")]
    DenseAdam,

    /// <summary><see cref="DenseAdam"/> to the bit, computed when rows are read again (<see cref="RowUpdates.Deferred"/>).</summary>
    [JsonStringEnumMemberName("deferred_adam")]
    DeferredAdam,

    /// <summary><see cref="RowAdagrad"/>: lazy, one number a row.</summary>
    [JsonStringEnumMemberName("adagrad")]
    Adagrad,

    /// <summary><see cref="RowSinkhorn"/>: momentum, balanced over the whole table, one moment a value.</summary>
    [JsonStringEnumMemberName("sinkhorn")]
    Sinkhorn,
}

namespace Engram.Models.Memory;

/// <summary>Where the tables of a loaded model live. Results are the same, to the bit, whichever it is.</summary>
public enum TableLocation
{
    /// <summary>Read into memory and checked for values that are not finite.</summary>
    Memory,

    /// <summary>
    /// Left in their files, which are mapped: opened in milliseconds whatever their size, and the system keeps in memory what is read
    /// often.
    /// </summary>
    Mapped,

    /// <summary>Mapped, behind a bounded cache of rows.</summary>
    Cached,
}

/// <summary>How the tables of a model are opened.</summary>
public sealed record MemoryOptions
{
    /// <summary>Where rows come from.</summary>
    public TableLocation Tables { get; init; } = TableLocation.Memory;

    /// <summary>Folder of tables that are trained where they lie; null for those of the model folder.</summary>
    internal string? TrainingFolder { get; init; }

    /// <summary>The identity that a training gives to the model it begins with; null leaves the model its own.</summary>
    internal string? NewIdentity { get; init; }

    /// <summary>
    /// Bytes of the row caches of all tables together, shared equally, at least one row each; for <see cref="TableLocation.Cached"/> only.
    /// </summary>
    /// <value>Default 64 MiB.</value>
    public long RowCacheBytes { get; init; } = 64 << 20;
}

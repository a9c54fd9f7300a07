namespace Engram.Tables.Cache;

/// <summary>What a cache has done since it was made.</summary>
/// <param name="Lookups">Rows asked for; dead positions are none.</param>
/// <param name="Misses">Rows read from the slower store. Within a batch a row is read once, however often it is asked for.</param>
/// <param name="Evictions">Rows that had to leave.</param>
public readonly record struct CacheCounts(long Lookups, long Misses, long Evictions)
{
    /// <summary>Rows that the slower store was spared.</summary>
    public long Hits => Lookups - Misses;

    /// <summary>Share of the look-ups that the slower store was spared, 0 to 1; 0 before the first.</summary>
    public double HitRate => Lookups == 0 ? 0 : (double)Hits / Lookups;

    /// <summary>What was done between two moments.</summary>
    public static CacheCounts operator -(CacheCounts now, CacheCounts then) =>
        new(now.Lookups - then.Lookups, now.Misses - then.Misses, now.Evictions - then.Evictions);
}

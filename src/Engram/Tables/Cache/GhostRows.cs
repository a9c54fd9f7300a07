namespace Engram.Tables.Cache;

/// <summary>
/// Remembers the rows that most recently left a cache unused, without keeping them: 8 bytes each, in buckets of one cache line. A
/// fingerprint of 32 bits stands for the row, so one in hundreds of millions is mistaken, which costs a row's place and never its value.
/// Entries age by themselves; the oldest of a bucket makes room.
/// </summary>
internal sealed unsafe class GhostRows : IDisposable
{
    // 64 bits: fingerprint of the row u32 | number of the departure u32.
    private struct Entry
    {
        public uint Fingerprint;
        public uint Departure;
    }

    private const int BucketEntries = 8;

    /// <summary>Bytes of memory per remembered row: buckets are a quarter larger than needed on average, so that few overflow.</summary>
    public const double BytesPerRow = 8 * Spare;
    private const double Spare = 1.25;

    private readonly NativeBuffer<Entry> _entries;
    private readonly ulong _buckets;
    private readonly uint _reach;
    private uint _departures;

    /// <param name="capacity">Departures that are remembered, at least 1.</param>
    public GhostRows(int capacity)
    {
        _buckets = (ulong)(capacity * Spare / BucketEntries) + 1;
        _entries = new NativeBuffer<Entry>((long)_buckets * BucketEntries);
        _reach = (uint)capacity;
        _departures = _reach + 1; // entries that were never written then lie out of reach
    }

    /// <summary>A row has left.</summary>
    /// <param name="hash">Uniform 64-bit hash of the row.</param>
    public void Add(ulong hash)
    {
        var bucket = Bucket(hash);
        var oldest = bucket;
        for (var entry = bucket + 1; entry < bucket + BucketEntries; entry++)
            if (_departures - entry->Departure > _departures - oldest->Departure)
                oldest = entry;
        *oldest = new Entry { Fingerprint = (uint)hash, Departure = _departures++ };
    }

    /// <summary>Whether a row left lately; it is forgotten by that.</summary>
    /// <param name="hash">Uniform 64-bit hash of the row.</param>
    public bool Remove(ulong hash)
    {
        var bucket = Bucket(hash);
        for (var entry = bucket; entry < bucket + BucketEntries; entry++)
            if (entry->Fingerprint == (uint)hash && _departures - entry->Departure <= _reach)
            {
                entry->Departure = _departures - _reach - 1;
                return true;
            }
        return false;
    }

    public void Dispose() => _entries.Dispose();

    private Entry* Bucket(ulong hash) => _entries.Pointer + Math.BigMul(hash, _buckets, out _) * BucketEntries;
}

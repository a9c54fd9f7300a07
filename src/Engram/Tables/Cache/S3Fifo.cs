using System.Runtime.CompilerServices;
using Engram.Tables.Formats;

namespace Engram.Tables.Cache;

/// <summary>
/// Which rows a bounded cache keeps, without the rows themselves: the policy S3-FIFO (Yang et al., SOSP 2023). A new row waits in a small
/// queue; one that is read twice there moves to the main queue, any other leaves and is remembered for a while; one that comes back soon
/// enters the main queue at once. The main queue gives every row as many further rounds as it was read since, up to fifteen. N-gram traffic
/// is Zipfian with a long tail of rows read once, which so pass through a tenth of the cache and leave the rest to the others.
/// <para>
/// A hit changes one small counter and moves nothing: <see cref="Hit"/> may run in several threads at once, while nobody inserts. A count
/// that two of them write at once may be lost, which only the policy notices.
/// </para>
/// </summary>
internal sealed unsafe class S3Fifo : IDisposable
{
    // 128 bits of the index: row i64 | slot + 1 i32, 0 for an empty entry | reads since the row entered its queue, at most 15, i32.
    private struct Entry
    {
        public long Row;
        public int SlotPlusOne;
        public int Reads;
    }

    private struct Queue
    {
        public int First;
        public int Last;
        public int Count;
    }

    private const int MaxReads = 15; // published: 3; 15 keeps 0.1 to 0.5 % more of n-gram look-ups in small caches
    private const int ReadsToStay = 2; // in the small queue
    private const double SmallShare = 0.1;
    private const double IndexRoom = 1.5; // entries per row: linear probing looks at two of them on average

    /// <summary>Bytes of memory per row beside the row itself: index, row number, queue, remembered rows.</summary>
    public const double BytesPerRow = 16 * IndexRoom + sizeof(long) + sizeof(int) + GhostRows.BytesPerRow * (1 - SmallShare);

    private readonly NativeBuffer<Entry> _index;
    private readonly NativeBuffer<long> _rows; // of each slot
    private readonly NativeBuffer<int> _next; // slot behind each slot in its queue
    private readonly GhostRows _ghosts;
    private readonly int _smallCapacity;
    private readonly ulong _indexSize;
    private Queue _small;
    private Queue _main;

    /// <param name="capacity">Rows that are kept, at least 1.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public S3Fifo(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        Capacity = capacity;
        _smallCapacity = Math.Max(1, (int)(capacity * SmallShare));
        _indexSize = (ulong)(capacity * IndexRoom) + 2; // at least one entry stays empty, where every search ends
        _index = new NativeBuffer<Entry>((long)_indexSize);
        _rows = new NativeBuffer<long>(capacity);
        _next = new NativeBuffer<int>(capacity);
        _ghosts = new GhostRows(Math.Max(1, capacity - _smallCapacity));
    }

    /// <summary>Rows that are kept at most; slots are numbered from 0 to this − 1.</summary>
    public int Capacity { get; }

    /// <summary>Rows that are kept now.</summary>
    public int Count { get; private set; }

    /// <summary>Rows that have had to leave.</summary>
    public long Evictions { get; private set; }

    /// <summary>Asks memory for what a search for a row reads first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(long row) => StoredRows.Prefetch(_index.Pointer + Home(row), 1);

    /// <summary>The slot of a row, whose reading is counted; −1 if it is not kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Hit(long row)
    {
        var entry = Find(row);
        if (entry->SlotPlusOne != 0 && entry->Reads < MaxReads)
            entry->Reads++;
        return entry->SlotPlusOne - 1;
    }

    /// <summary>Whether a row is kept; nothing is counted.</summary>
    public bool Contains(long row) => Find(row)->SlotPlusOne != 0;

    /// <summary>Takes in a row that is not kept, in place of another if all slots are taken.</summary>
    /// <returns>Its slot.</returns>
    public int Insert(long row)
    {
        var slot = Count < Capacity ? Count++ : Evict();
        _rows.Pointer[slot] = row;
        *Find(row) = new Entry { Row = row, SlotPlusOne = slot + 1 };
        if (_ghosts.Remove(Hash(row)))
            Enqueue(ref _main, slot);
        else
            Enqueue(ref _small, slot);
        return slot;
    }

    public void Dispose()
    {
        _index.Dispose();
        _rows.Dispose();
        _next.Dispose();
        _ghosts.Dispose();
    }

    private int Evict()
    {
        Evictions++;
        while (true)
        {
            var fromSmall = _small.Count >= _smallCapacity || _main.Count == 0;
            var slot = Dequeue(ref fromSmall ? ref _small : ref _main);
            var row = _rows.Pointer[slot];
            var entry = Find(row);
            if (fromSmall && entry->Reads >= ReadsToStay)
            {
                entry->Reads = 0;
                Enqueue(ref _main, slot);
            }
            else if (!fromSmall && entry->Reads > 0)
            {
                entry->Reads--;
                Enqueue(ref _main, slot);
            }
            else
            {
                if (fromSmall)
                    _ghosts.Add(Hash(row));
                Remove(entry);
                return slot;
            }
        }
    }

    // The entry of a row, or the empty one where it would be put.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Entry* Find(long row)
    {
        var index = _index.Pointer;
        for (var at = Home(row); ; at = at + 1 < _indexSize ? at + 1 : 0)
            if (index[at].SlotPlusOne == 0 || index[at].Row == row)
                return index + at;
    }

    // Entries behind the hole move up as far as their home allows, so that no search ends too early.
    private void Remove(Entry* entry)
    {
        var index = _index.Pointer;
        var hole = (ulong)(entry - index);
        for (var at = hole; ; )
        {
            at = at + 1 < _indexSize ? at + 1 : 0;
            if (index[at].SlotPlusOne == 0)
                break;
            if (Distance(Home(index[at].Row), at) < Distance(hole, at))
                continue;
            index[hole] = index[at];
            hole = at;
        }
        index[hole] = default;
    }

    private ulong Distance(ulong from, ulong to) => to >= from ? to - from : to + _indexSize - from;

    private void Enqueue(ref Queue queue, int slot)
    {
        if (queue.Count++ == 0)
            queue.First = slot;
        else
            _next.Pointer[queue.Last] = slot;
        queue.Last = slot;
    }

    private int Dequeue(ref Queue queue)
    {
        var slot = queue.First;
        queue.Count--;
        queue.First = _next.Pointer[slot];
        return slot;
    }

    private static ulong Hash(long row) => (ulong)row * 0x9E3779B97F4A7C15; // 2^64 / φ, odd

    private ulong Home(long row) => Math.BigMul(Hash(row), _indexSize, out _);
}

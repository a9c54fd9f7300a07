using System.Diagnostics;

namespace Engram.Addressing.Statistics;

/// <summary>
/// Counts n-grams in a hash table of bounded size (open addressing, linear probing). It says when it is full; it never drops one.
/// </summary>
/// <param name="maxSlots">Slots it may grow to. While it grows, the old table lies beside the new one.</param>
internal sealed class NgramTable(int maxSlots)
{
    private const int FirstSlots = 1 << 12;

    private NgramCount[] _slots = new NgramCount[Math.Min(FirstSlots, maxSlots)];

    /// <summary>Bytes that a table of so many slots needs at most, the old one half as large included.</summary>
    public const int PeakBytesPerSlot = 36;

    /// <summary>Distinct n-grams in the table.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the next new n-gram needs room that there is not.</summary>
    public bool IsFull => Count >= Limit && _slots.Length >= maxSlots;

    // Three quarters: longer runs of taken slots cost more than the memory is worth.
    private int Limit => Math.Max(1, _slots.Length / 4 * 3);

    /// <summary>Counts one n-gram. The table must not be full.</summary>
    public void Add(UInt128 key)
    {
        if (Count >= Limit)
            Grow();
        ref var slot = ref Find(_slots, key);
        if (slot.Count == 0)
        {
            slot = new NgramCount(key, 1);
            Count++;
        }
        else
        {
            slot.Count++;
        }
    }

    /// <summary>The content in ascending order of keys. Only <see cref="Clear"/> may follow.</summary>
    public ReadOnlyMemory<NgramCount> Sort()
    {
        var filled = 0;
        foreach (var slot in _slots)
            if (slot.Count != 0)
                _slots[filled++] = slot;
        _slots.AsSpan(0, filled).Sort();
        return _slots.AsMemory(0, filled);
    }

    /// <summary>Empties the table and keeps its room.</summary>
    public void Clear()
    {
        Array.Clear(_slots);
        Count = 0;
    }

    private void Grow()
    {
        Debug.Assert(!IsFull);
        var larger = new NgramCount[(int)Math.Min(maxSlots, 2L * _slots.Length)];
        foreach (var slot in _slots)
            if (slot.Count != 0)
                Find(larger, slot.Key) = slot;
        _slots = larger;
    }

    private static ref NgramCount Find(NgramCount[] slots, UInt128 key)
    {
        var at = (int)Math.BigMul(Hash(key), (ulong)slots.Length, out _);
        while (slots[at].Count != 0 && slots[at].Key != key)
            at = at + 1 == slots.Length ? 0 : at + 1;
        return ref slots[at];
    }

    // The finalizer of SplitMix64 over both halves; the high bits choose the slot.
    private static ulong Hash(UInt128 key)
    {
        var x = (ulong)key ^ (ulong)(key >> 64) * 0x9E3779B97F4A7C15;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
        x = (x ^ x >> 27) * 0x94D049BB133111EB;
        return x ^ x >> 31;
    }
}

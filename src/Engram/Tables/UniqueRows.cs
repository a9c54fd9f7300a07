using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>
/// The distinct rows of a batch, and for each address which of them it is. A batch reads few rows many times: each is gathered once, and
/// its gradients are summed before the optimizer sees them. Distinct rows keep the order of their first appearance. Reuse one instance: it
/// allocates only while it grows. Not thread-safe.
/// </summary>
public sealed class UniqueRows
{
    // 128 bits: row i64 | its index in the list i32 | number of the call that wrote it i32.
    // A slot written by an earlier call counts as empty, so nothing is cleared between calls.
    private struct Slot
    {
        public long Row;
        public int Index;
        public int Call;
    }

    /// <summary>Most addresses of a batch.</summary>
    public const int MostAddresses = 1 << 29;

    private const int SlotsPerRow = 2;
    private const int PrefetchDistance = 16;
    private const ulong GoldenRatio = 0x9E3779B97F4A7C15; // 2^64 / φ, odd: spreads consecutive rows over all slots

    private Slot[] _slots = [];
    private long[] _rows = [];
    private int[] _inverse = [];
    private int _length;
    private int _call;

    /// <summary>Number of distinct rows, u.</summary>
    public int Count { get; private set; }

    /// <summary>
    /// Distinct rows [u] in order of first appearance; −1, the address of a dead position, is one of them if it occurs. Valid until the
    /// next <see cref="Build"/>.
    /// </summary>
    public ReadOnlySpan<long> Rows => _rows.AsSpan(0, Count);

    /// <summary>Index into <see cref="Rows"/> of every address of the batch [n]. Valid until the next <see cref="Build"/>.</summary>
    public ReadOnlySpan<int> Inverse => _inverse.AsSpan(0, _length);

    /// <summary>Takes a batch and forgets the one before.</summary>
    /// <param name="rows">Addresses [n], at most <see cref="MostAddresses"/>.</param>
    public unsafe void Build(ReadOnlySpan<long> rows)
    {
        Reserve(rows.Length);
        var shift = 64 - BitOperations.Log2((uint)_slots.Length);
        var last = _slots.Length - 1;
        ref var slots = ref MemoryMarshal.GetArrayDataReference(_slots);
        var count = 0;
        for (var i = 0; i < rows.Length; i++)
        {
            if (i + PrefetchDistance < rows.Length)
                StoredRows.Prefetch(Unsafe.AsPointer(ref Unsafe.Add(ref slots, Home(rows[i + PrefetchDistance], shift))), 1);
            var row = rows[i];
            for (var at = Home(row, shift); ; at = at + 1 & last)
            {
                ref var slot = ref Unsafe.Add(ref slots, at);
                if (slot.Call != _call)
                {
                    slot = new Slot
                    {
                        Row = row,
                        Index = count,
                        Call = _call,
                    };
                    _rows[count++] = row;
                }
                else if (slot.Row != row)
                    continue;
                _inverse[i] = slot.Index;
                break;
            }
        }
        (_length, Count) = (rows.Length, count);
    }

    private static int Home(long row, int shift) => (int)((ulong)row * GoldenRatio >> shift);

    private void Reserve(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, MostAddresses);
        if (_inverse.Length < length)
        {
            var capacity = (int)BitOperations.RoundUpToPowerOf2((uint)length);
            _slots = new Slot[SlotsPerRow * capacity];
            _rows = new long[capacity];
            _inverse = new int[capacity];
            _call = 0;
        }
        else if (_call == int.MaxValue)
        {
            Array.Clear(_slots);
            _call = 0;
        }
        _call++;
    }
}

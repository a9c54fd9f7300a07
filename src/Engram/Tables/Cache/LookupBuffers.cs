using System.Numerics;

namespace Engram.Tables.Cache;

/// <summary>
/// What one look-up in a <see cref="CachedRowStore"/> needs for itself: where its rows are, which are missing, and the missing ones as the
/// slower store gave them. Reused; grows, never shrinks.
/// </summary>
internal sealed class LookupBuffers
{
    private long[] _slots = [];
    private long[] _missed = [];
    private int[] _missedAt = [];
    private byte[] _values = [];
    private byte[] _scales = [];

    /// <summary>Slot of each address, −1 where none is kept.</summary>
    public long[] Slots => _slots;

    /// <summary>Addresses that are not kept, repeated or not, and where in the batch they stand.</summary>
    public ReadOnlySpan<long> Missed => _missed.AsSpan(0, MissedCount);

    public ReadOnlySpan<int> MissedAt => _missedAt.AsSpan(0, MissedCount);

    public int MissedCount { get; private set; }

    /// <summary>The missing rows, each once.</summary>
    public UniqueRows Unique { get; } = new();

    public void Begin(int rows)
    {
        MissedCount = 0;
        if (_slots.Length >= rows)
            return;
        var room = (int)BitOperations.RoundUpToPowerOf2((uint)rows);
        (_slots, _missed, _missedAt) = (new long[room], new long[room], new int[room]);
    }

    public void Miss(long row, int at)
    {
        _missed[MissedCount] = row;
        _missedAt[MissedCount++] = at;
    }

    /// <summary>Room for rows in stored form.</summary>
    public (byte[] Values, byte[] Scales) Staging(int rows, int valueBytes, int scaleBytes) =>
        (Room(ref _values, rows, valueBytes), Room(ref _scales, rows, scaleBytes));

    private static byte[] Room(ref byte[] bytes, int rows, int rowBytes)
    {
        if (bytes.Length < (long)rows * rowBytes)
            bytes = new byte[checked((int)BitOperations.RoundUpToPowerOf2((uint)rows) * rowBytes)];
        return bytes;
    }
}

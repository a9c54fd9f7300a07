namespace Engram.Tokenization;

/// <summary>
/// Vocabulary strings by id and ids by vocabulary string. All strings lie in one block of UTF-8; the index is an open-addressing table
/// whose hash is seeded per process, so a hostile file cannot prepare collisions. Filled once, then read by any number of threads.
/// </summary>
internal sealed class TokenTable
{
    private byte[] _utf8 = new byte[1024];
    private int _utf8Length;
    private Entry[] _entries = new Entry[64];
    private int[] _slots = new int[128];     // entry index + 1, 0 = free
    private int[] _entryOfId = [];

    private record struct Entry(int Id, int Start, int Length, int Hash);

    /// <summary>Number of strings.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a string.</summary>
    /// <returns>False, with the id it already has, when the string is present.</returns>
    public bool TryAdd(ReadOnlySpan<byte> token, int id, out int existingId)
    {
        var hash = Hash(token);
        var slot = FindSlot(token, hash);
        if (_slots[slot] != 0)
        {
            existingId = _entries[_slots[slot] - 1].Id;
            return false;
        }
        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, Count * 2);
            Rehash();
            slot = FindSlot(token, hash);
        }
        if (token.Length > _utf8.Length - _utf8Length)
            Array.Resize(ref _utf8, Math.Max((int)Math.Min(2L * _utf8.Length, Array.MaxLength), checked(_utf8Length + token.Length)));
        token.CopyTo(_utf8.AsSpan(_utf8Length));
        _entries[Count++] = new Entry(id, _utf8Length, token.Length, hash);
        _utf8Length += token.Length;
        _slots[slot] = Count;
        existingId = id;
        return true;
    }

    /// <summary>Builds the id → string direction, after the last <see cref="TryAdd"/>.</summary>
    /// <returns>Null, or what is wrong: an id that is used twice or missing. Ids must be 0 … <see cref="Count"/> − 1.</returns>
    public string? IndexIds()
    {
        _entryOfId = new int[Count];
        Array.Fill(_entryOfId, -1);
        for (var entry = 0; entry < Count; entry++)
        {
            var id = _entries[entry].Id;
            if ((uint)id >= (uint)Count) continue;   // some id below Count stays free and is reported
            if (_entryOfId[id] >= 0)
                return $"id {id} is given to both {Excerpt.Of(Utf8(_entryOfId[id]))} and {Excerpt.Of(Utf8(entry))}";
            _entryOfId[id] = entry;
        }
        var hole = Array.IndexOf(_entryOfId, -1);
        return hole < 0 ? null : $"id {hole} has no token although {Count} tokens are defined; ids must run from 0 without a hole";
    }

    /// <summary>The id of a string, or -1.</summary>
    public int Find(ReadOnlySpan<byte> token)
    {
        var found = _slots[FindSlot(token, Hash(token))];
        return found == 0 ? -1 : _entries[found - 1].Id;
    }

    /// <summary>The string of an id, UTF-8. Needs <see cref="IndexIds"/>.</summary>
    public ReadOnlySpan<byte> this[int id] => Utf8(_entryOfId[id]);

    /// <summary>The string that was added as number <paramref name="index"/>, UTF-8.</summary>
    public ReadOnlySpan<byte> Added(int index) => Utf8(index);

    private ReadOnlySpan<byte> Utf8(int entry) => _utf8.AsSpan(_entries[entry].Start, _entries[entry].Length);

    private int FindSlot(ReadOnlySpan<byte> token, int hash)
    {
        var mask = _slots.Length - 1;
        for (var slot = hash & mask; ; slot = (slot + 1) & mask)
        {
            var entry = _slots[slot] - 1;
            if (entry < 0 || (_entries[entry].Hash == hash && Utf8(entry).SequenceEqual(token))) return slot;
        }
    }

    private void Rehash()
    {
        _slots = new int[_entries.Length * 2];
        var mask = _slots.Length - 1;
        for (var entry = 0; entry < Count; entry++)
        {
            var slot = _entries[entry].Hash & mask;
            while (_slots[slot] != 0) slot = (slot + 1) & mask;
            _slots[slot] = entry + 1;
        }
    }

    private static int Hash(ReadOnlySpan<byte> token)
    {
        var hash = new HashCode();
        hash.AddBytes(token);
        return hash.ToHashCode();
    }
}

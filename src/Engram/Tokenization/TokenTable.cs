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
    private int[] _slots = new int[128]; // entry index + 1, 0 = free
    private int[] _entryOfId = [];

    private record struct Entry(int Id, int Start, int Length, int Hash);

    // Ids may leave out numbers, but arrays are sized by them: no more than this beyond the number of strings.
    private const int MostHolesPerToken = 3;
    private const int MostHoles = 1 << 16;

    private int _modelCount = int.MaxValue;

    /// <summary>Number of strings.</summary>
    public int Count { get; private set; }

    /// <summary>Number of ids, with the holes among them: the largest and one more. Needs <see cref="IndexIds"/>.</summary>
    public int IdCount => _entryOfId.Length;

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

    /// <summary>Ends the model's own vocabulary: what is added from here on exists as added tokens only.</summary>
    public void EndModel() => _modelCount = Count;

    /// <summary>Builds the id → string direction, after the last <see cref="TryAdd"/>.</summary>
    /// <returns>Null, or what is wrong: an id that is used twice, or one far beyond the number of tokens.</returns>
    public string? IndexIds()
    {
        var largest = -1;
        for (var entry = 0; entry < Count; entry++)
        {
            largest = Math.Max(largest, _entries[entry].Id);
            if (_entries[entry].Id >= (((long)MostHolesPerToken + 1) * Count) + MostHoles)
                return $"{Excerpt.Of(Utf8(entry))} has id {_entries[entry].Id} although only {Count} tokens are defined";
        }
        _entryOfId = new int[largest + 1];
        Array.Fill(_entryOfId, -1);
        for (var entry = 0; entry < Count; entry++)
        {
            var id = _entries[entry].Id;
            if (_entryOfId[id] >= 0)
                return $"id {id} is given to both {Excerpt.Of(Utf8(_entryOfId[id]))} and {Excerpt.Of(Utf8(entry))}";
            _entryOfId[id] = entry;
        }
        return null;
    }

    /// <summary>The id of a string, or -1.</summary>
    public int Find(ReadOnlySpan<byte> token)
    {
        var found = _slots[FindSlot(token, Hash(token))];
        return found == 0 ? -1 : _entries[found - 1].Id;
    }

    /// <summary>The id of a string of the model's own vocabulary, or -1.</summary>
    public int FindInModel(ReadOnlySpan<byte> token)
    {
        var found = _slots[FindSlot(token, Hash(token))];
        return found == 0 || found > _modelCount ? -1 : _entries[found - 1].Id;
    }

    /// <summary>Whether an id below <see cref="IdCount"/> has a token.</summary>
    public bool Has(int id) => _entryOfId[id] >= 0;

    /// <summary>Whether an id below <see cref="IdCount"/> has a token of the model's own vocabulary.</summary>
    public bool IsInModel(int id) => _entryOfId[id] >= 0 && _entryOfId[id] < _modelCount;

    /// <summary>The string of an id, UTF-8; empty for a hole. Needs <see cref="IndexIds"/>.</summary>
    public ReadOnlySpan<byte> this[int id] => Has(id) ? Utf8(_entryOfId[id]) : default;

    /// <summary>The string that was added as number <paramref name="index"/>, UTF-8.</summary>
    public ReadOnlySpan<byte> Added(int index) => Utf8(index);

    private ReadOnlySpan<byte> Utf8(int entry) => _utf8.AsSpan(_entries[entry].Start, _entries[entry].Length);

    private int FindSlot(ReadOnlySpan<byte> token, int hash)
    {
        var mask = _slots.Length - 1;
        for (var slot = hash & mask; ; slot = (slot + 1) & mask)
        {
            var entry = _slots[slot] - 1;
            if (entry < 0 || (_entries[entry].Hash == hash && Utf8(entry).SequenceEqual(token)))
                return slot;
        }
    }

    private void Rehash()
    {
        _slots = new int[_entries.Length * 2];
        var mask = _slots.Length - 1;
        for (var entry = 0; entry < Count; entry++)
        {
            var slot = _entries[entry].Hash & mask;
            while (_slots[slot] != 0)
                slot = (slot + 1) & mask;
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

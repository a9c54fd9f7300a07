namespace Engram.Tokenization;

/// <summary>The merges that are possible in one piece, smallest key first: a binary heap in memory that the caller lends.</summary>
/// <param name="items">Room for every key that can wait at once.</param>
internal ref struct MergeQueue(Span<ulong> items)
{
    private readonly Span<ulong> _items = items;
    private int _count;

    public void Push(ulong key)
    {
        var at = _count++;
        while (at > 0)
        {
            var parent = (at - 1) >> 1;
            if (_items[parent] <= key)
                break;
            _items[at] = _items[parent];
            at = parent;
        }
        _items[at] = key;
    }

    public bool TryPop(out ulong key)
    {
        if (_count == 0)
        {
            key = 0;
            return false;
        }
        key = _items[0];
        var last = _items[--_count];
        var at = 0;
        for (int child; (child = (2 * at) + 1) < _count; at = child)
        {
            if (child + 1 < _count && _items[child + 1] < _items[child])
                child++;
            if (_items[child] >= last)
                break;
            _items[at] = _items[child];
        }
        _items[at] = last;
        return true;
    }
}

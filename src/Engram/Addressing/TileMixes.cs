using System.Numerics;
using System.Runtime.Intrinsics;

namespace Engram.Addressing;

/// <summary>
/// The mixes of a tile of consecutive tokens, mix_n = c_0·m_0 XOR … XOR c_(n−1)·m_(n−1), in the forms that <see cref="OrderHeads"/> reads.
/// <see cref="Load"/> takes the tokens in; then, for each layer, <see cref="Begin"/> and one <see cref="Extend"/> per order. Scratch of the
/// caller's stack: vectors run past the last token into room that <see cref="Capacity"/> leaves, over values that nobody reads.
/// </summary>
internal readonly unsafe ref struct TileMixes
{
    private readonly int _maxOrder;
    private readonly int _padId;
    private readonly int* _ids; // the N − 1 ids before the tile, then its own
    private readonly int* _reach;
    private readonly ulong* _exact;
    private readonly double* _rounded;
    private readonly ulong* _low;

    /// <summary>Lays the arrays of a tile out in scratch memory.</summary>
    /// <param name="scratch">At least <see cref="ScratchBytes"/> bytes, 8-byte aligned, with any content.</param>
    /// <param name="capacity">A value of <see cref="Capacity"/>.</param>
    /// <param name="maxOrder">N.</param>
    /// <param name="padId">Id of positions beyond a window.</param>
    public TileMixes(byte* scratch, int capacity, int maxOrder, int padId)
    {
        (_maxOrder, _padId) = (maxOrder, padId);
        _exact = (ulong*)scratch;
        _rounded = (double*)(_exact + capacity);
        _low = (ulong*)(_rounded + capacity);
        _reach = (int*)(_low + capacity);
        _ids = _reach + capacity;
    }

    /// <summary>Tokens that scratch must have room for so that whole vectors cover <paramref name="tokens"/> of them.</summary>
    public static int Capacity(int tokens) => (tokens + Vector512<int>.Count - 1) & -Vector512<int>.Count;

    /// <summary>Bytes of scratch.</summary>
    public static int ScratchBytes(int capacity, int maxOrder) =>
        capacity * (3 * sizeof(ulong) + 2 * sizeof(int)) + (maxOrder - 1) * sizeof(int);

    /// <summary>Mix of each token for the current order, 0 to 2^63 − 1; without meaning at dead positions.</summary>
    public ulong* Exact => _exact;

    /// <summary>The mixes as nearest float64.</summary>
    public double* Rounded => _rounded;

    /// <summary>The mixes' lower 32 bits, upper half zero.</summary>
    public ulong* Low => _low;

    /// <summary>Canonical ids of the tile, −1 at dead positions.</summary>
    public int* Ids => _ids + (_maxOrder - 1);

    /// <summary>The id some positions before a token of the tile, or the pad id where the token's window does not reach so far.</summary>
    public int Id(int t, int back) => _reach[t] > back ? Ids[t - back] : _padId;

    /// <summary>Takes the tokens of a tile in and finds how far each one's window reaches.</summary>
    /// <param name="ids">Ids of the whole sequence.</param>
    /// <param name="starts">Document starts of the whole sequence, or empty.</param>
    /// <param name="from">First token of the tile.</param>
    /// <param name="count">Tokens in the tile.</param>
    /// <param name="recent">Ids before the sequence, newest first; none if the sequence begins a document.</param>
    /// <param name="reach">Reach of the token before the tile; becomes that of the tile's last.</param>
    /// <returns>Whether a position of the tile is dead.</returns>
    public bool Load(ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts, int from, int count, ReadOnlySpan<int> recent, ref int reach)
    {
        for (var back = 1; back < _maxOrder; back++)
            Ids[-back] =
                back <= from ? ids[from - back]
                : back - from <= recent.Length ? recent[back - from - 1]
                : _padId;
        ids = ids.Slice(from, count);
        ids.CopyTo(new Span<int>(Ids, count));

        var anyDead = ids.Contains(-1);
        if (anyDead || (!starts.IsEmpty && starts.Slice(from, count).Contains(true)))
        {
            for (var t = 0; t < count; t++)
                _reach[t] = reach = AddressWindow.NextReach(reach, ids[t], !starts.IsEmpty && starts[from + t], _maxOrder);
            return anyDead;
        }
        // No window ends inside the tile: the reach grows to N and stays.
        var at = 0;
        for (; at < count && reach < _maxOrder; at++)
            _reach[at] = ++reach;
        new Span<int>(_reach + at, count - at).Fill(reach);
        return false;
    }

    /// <summary>Begins a layer: mix_1 = c_0·m_0.</summary>
    public void Begin(int count, long multiplier)
    {
        if (!Vector.IsHardwareAccelerated)
        {
            BeginScalar(count, multiplier);
            return;
        }
        var m = new Vector<long>(multiplier);
        for (var t = 0; t < count; t += Vector<int>.Count)
        {
            Vector.Widen(Vector.Load(Ids + t), out var first, out var second);
            Vector.Store((first * m).As<long, ulong>(), _exact + t);
            Vector.Store((second * m).As<long, ulong>(), _exact + t + Vector<ulong>.Count);
        }
    }

    /// <summary>Makes the other two forms of mix_1, for rows of single tokens.</summary>
    public void Round(int count)
    {
        for (var t = 0; t < count; t++)
            (_rounded[t], _low[t]) = ((long)_exact[t], (uint)_exact[t]);
    }

    /// <summary>Goes from one order to the next: mix_(back + 1) = mix_back XOR c_back·m_back.</summary>
    public void Extend(int count, int back, long multiplier)
    {
        if (!Vector.IsHardwareAccelerated)
        {
            ExtendScalar(count, back, multiplier);
            return;
        }
        var (m, pad, distance) = (new Vector<long>(multiplier), new Vector<int>(_padId), new Vector<int>(back));
        for (var t = 0; t < count; t += Vector<int>.Count)
        {
            var id = Vector.ConditionalSelect(Vector.GreaterThan(Vector.Load(_reach + t), distance), Vector.Load(Ids + t - back), pad);
            Vector.Widen(id, out var first, out var second);
            Mix(t, first * m);
            Mix(t + Vector<long>.Count, second * m);
        }
    }

    private void Mix(int t, Vector<long> product)
    {
        var mix = Vector.Load(_exact + t) ^ product.As<long, ulong>();
        Vector.Store(mix, _exact + t);
        // A mix has 63 bits, so the signed conversion, which narrower machines have too, is its value.
        Vector.Store(Vector.ConvertToDouble(mix.As<ulong, long>()), _rounded + t);
        Vector.Store(mix & new Vector<ulong>(uint.MaxValue), _low + t);
    }

    /// <summary>The twin of <see cref="Begin"/>.</summary>
    internal void BeginScalar(int count, long multiplier)
    {
        for (var t = 0; t < count; t++)
            _exact[t] = (ulong)(Ids[t] * multiplier);
    }

    /// <summary>The twin of <see cref="Extend"/>.</summary>
    internal void ExtendScalar(int count, int back, long multiplier)
    {
        for (var t = 0; t < count; t++)
        {
            _exact[t] ^= (ulong)(Id(t, back) * multiplier);
            _rounded[t] = (long)_exact[t];
            _low[t] = (uint)_exact[t];
        }
    }
}

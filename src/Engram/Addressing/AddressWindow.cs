namespace Engram.Addressing;

/// <summary>
/// What one sequence remembers between chunks: its last N − 1 canonical ids and how far back the next window may look. Fresh, it is the
/// start of a document. One per sequence; beam search and speculative decoding copy it.
/// </summary>
public sealed class AddressWindow
{
    private readonly int[] _recent; // newest first
    private int _reach;

    internal AddressWindow(int maxOrder) => _recent = new int[maxOrder - 1];

    internal int MaxOrder => _recent.Length + 1;

    internal ReadOnlySpan<int> Recent => _recent;

    /// <summary>Live tokens that a window ending at the last position covers, itself included: 0 to N.</summary>
    internal int Reach => _reach;

    /// <summary>
    /// How far a window ending at a position may look: one more than its age (<see cref="Lookback"/>), the position itself included, and
    /// never more than the largest order.
    /// </summary>
    /// <param name="previous">Reach of the position before, 0 at the very start.</param>
    /// <param name="id">Canonical id at the position, −1 if it is dead.</param>
    /// <param name="startsDocument">Whether a document starts at the position.</param>
    /// <param name="maxOrder">N.</param>
    internal static int NextReach(int previous, int id, bool startsDocument, int maxOrder) =>
        Math.Min(Lookback.Age(previous - 1, id < 0, startsDocument) + 1, maxOrder);

    /// <summary>Moves past tokens without computing their rows, for example those of a cached prefix; only the last N − 1 matter.</summary>
    /// <param name="canonicalIds">Ids [T], −1 for dead positions.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if none does.</param>
    /// <exception cref="ArgumentException"><paramref name="documentStarts"/> is neither empty nor as long as the ids.</exception>
    public void Advance(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts = default)
    {
        if (!documentStarts.IsEmpty && documentStarts.Length != canonicalIds.Length)
            throw new ArgumentException($"{documentStarts.Length} document starts for {canonicalIds.Length} ids.", nameof(documentStarts));
        for (var t = 0; t < canonicalIds.Length; t++)
            _reach = NextReach(_reach, canonicalIds[t], !documentStarts.IsEmpty && documentStarts[t], MaxOrder);
        var kept = Math.Max(0, _recent.Length - canonicalIds.Length);
        _recent.AsSpan(0, kept).CopyTo(_recent.AsSpan(_recent.Length - kept));
        for (var i = 0; i < _recent.Length - kept; i++)
            _recent[i] = canonicalIds[^(i + 1)];
    }

    /// <summary>Returns to the start of a document.</summary>
    public void Reset() => _reach = 0;

    /// <summary>Takes over the state of another window of the same order.</summary>
    /// <exception cref="ArgumentException">The other window remembers another number of tokens.</exception>
    public void CopyFrom(AddressWindow other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.MaxOrder != MaxOrder)
            throw new ArgumentException($"A window of order {other.MaxOrder} cannot be copied to one of order {MaxOrder}.", nameof(other));
        other._recent.CopyTo(_recent, 0);
        _reach = other._reach;
    }

    /// <summary>An independent window in the same state.</summary>
    public AddressWindow Clone()
    {
        var copy = new AddressWindow(MaxOrder);
        copy.CopyFrom(this);
        return copy;
    }
}

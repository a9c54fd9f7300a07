namespace Engram.Inference.Taps;

/// <summary>
/// What the memory of a model did with the tokens of one call, copied while they are read: give it to
/// <see cref="EngramModel.Read(Sequences.Sequence, ReadOnlySpan{int}, Span{float}, MemoryTap, CancellationToken)"/>. The call computes the
/// same bits as without; calls without a tap pay nothing for it. Another call with it begins anew. One thread at a time.
/// </summary>
public sealed class MemoryTap
{
    private readonly List<TappedLayer> _layers = [];

    /// <summary>The memory layers, ascending; none before a call, after one that failed, and where the memory was off.</summary>
    public IReadOnlyList<TappedLayer> Layers => _layers;

    /// <summary>Forgets what was seen.</summary>
    internal void Clear() => _layers.Clear();

    /// <summary>Where a memory layer puts what it did.</summary>
    internal TappedLayer Of(int layer)
    {
        foreach (var tapped in _layers)
            if (tapped.Layer == layer)
                return tapped;
        var added = new TappedLayer(layer);
        _layers.Add(added);
        return added;
    }
}

using static TorchSharp.torch;

namespace Engram.Torch.Memory;

/// <summary>
/// The rows of one batch for every memory layer: leaf tensors [B, T, d_mem] outside any table. In training they require a gradient, which
/// goes back to the table's own row optimizer after the backward pass. Rows that may lie on a device are gathered when their block asks for
/// them, so that the device reads while the blocks below compute. One thread at a time.
/// </summary>
public sealed class GatheredMemory : IDisposable
{
    private readonly SortedDictionary<int, Tensor> _layers = [];
    private readonly Dictionary<int, Func<Tensor>> _pending = [];

    /// <summary>A residual stream to which nothing is added, from 0; null for none.</summary>
    public int? ClosedStream { get; set; }

    internal void Set(int layer, Tensor memory) => _layers.Add(layer, memory.DetachFromDisposeScope());

    internal void SetLater(int layer, Func<Tensor> gather) => _pending.Add(layer, gather);

    /// <summary>Memory of a block, or null for a block without one.</summary>
    /// <param name="layer">0-based block index.</param>
    public Tensor? Layer(int layer)
    {
        if (_pending.Remove(layer, out var gather))
            Set(layer, gather());
        return _layers.GetValueOrDefault(layer);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var memory in _layers.Values)
            memory.Dispose();
    }
}

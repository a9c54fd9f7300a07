using static TorchSharp.torch;

namespace Engram.Models.Memory;

/// <summary>
/// The rows of one batch, gathered for every memory layer: leaf tensors [B, T, d_mem] outside any table. In training they require a
/// gradient, which goes back to the table's own row optimizer after the backward pass.
/// </summary>
public sealed class GatheredMemory : IDisposable
{
    private readonly SortedDictionary<int, Tensor> _layers = [];

    internal void Set(int layer, Tensor memory) => _layers.Add(layer, memory.DetachFromDisposeScope());

    /// <summary>Memory of a block, or null for a block without one.</summary>
    /// <param name="layer">0-based block index.</param>
    public Tensor? Layer(int layer) => _layers.GetValueOrDefault(layer);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var memory in _layers.Values)
            memory.Dispose();
    }
}

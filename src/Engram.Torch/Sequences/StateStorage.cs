using static TorchSharp.torch;

namespace Engram.Torch.Sequences;

// Shape letters: S slots   C capacity in positions   w width of what one position keeps

/// <summary>What a layer keeps of every position.</summary>
internal enum StatePart
{
    /// <summary>Normalised latent of attention.</summary>
    Latent,

    /// <summary>Rotated key that all heads share.</summary>
    Key,

    /// <summary>
    /// Normalised gated value of the memory, which the convolution looks back to, or what it adds to the values of attention.
    /// </summary>
    Value,
}

/// <summary>
/// The values of sequences that are read together, one slot each: per layer and part a tensor [S, C, w], made when the layer first asks.
/// States hold slots; when the last one leaves, the tensors are freed.
/// </summary>
internal sealed class StateStorage(int slots, int capacity)
{
    private readonly Dictionary<(int Layer, StatePart Part), Tensor> _tensors = [];
    private readonly int[] _written = new int[slots];
    private readonly int[] _holders = new int[slots];

    /// <summary>Positions that every slot has room for.</summary>
    public int Capacity => capacity;

    /// <summary>Counts a state that holds a slot.</summary>
    public void Hold(int slot) => _holders[slot]++;

    /// <summary>Counts it out.</summary>
    public void Release(int slot)
    {
        _holders[slot]--;
        if (_holders.Any(holders => holders > 0))
            return;
        foreach (var tensor in _tensors.Values)
            tensor.Dispose();
        _tensors.Clear();
    }

    /// <summary>Whether a state after <paramref name="length"/> tokens may write behind them: no other state holds values there.</summary>
    public bool MayAppend(int slot, int length, int added) =>
        length + added <= capacity && (_holders[slot] == 1 || _written[slot] == length);

    /// <summary>Notes how far a slot is written.</summary>
    public void Write(int slot, int length) => _written[slot] = length;

    /// <summary>The tensor [S, C, w] of a layer's part; zeros at first.</summary>
    /// <param name="layer">0-based block index.</param>
    /// <param name="part">What it keeps.</param>
    /// <param name="like">A tensor […, w] of the same width, type and device.</param>
    public Tensor Part(int layer, StatePart part, Tensor like)
    {
        if (_tensors.TryGetValue((layer, part), out var held))
            return held;
        // Made during inference it must still serve passes outside: an inference tensor could not be written to there.
        using var ordinary = inference_mode(false);
        using var noGrad = no_grad();
        var made = zeros([slots, capacity, like.size(-1)], dtype: like.dtype, device: like.device).DetachFromDisposeScope();
        _tensors.Add((layer, part), made);
        return made;
    }

    /// <summary>Moves states that lie anywhere into one storage, in their order, each with the values of its own tokens.</summary>
    public static StateStorage Collect(IReadOnlyList<SequenceState> states, int capacity)
    {
        var storage = new StateStorage(states.Count, capacity);
        for (var slot = 0; slot < states.Count; slot++)
        {
            var (from, length) = (states[slot].Storage, states[slot].Length);
            if (from is not null)
                foreach (var ((layer, part), values) in from._tensors)
                {
                    using var scope = NewDisposeScope();
                    var target = storage.Part(layer, part, values);
                    target.select(0, slot).narrow(0, 0, length).copy_(values.select(0, states[slot].Slot).narrow(0, 0, length));
                }

            storage.Write(slot, length);
        }

        // Only now: a state that shares a slot with another must find its values until it has been copied, too.
        for (var slot = 0; slot < states.Count; slot++)
            states[slot].MoveTo(storage, slot);
        return storage;
    }
}

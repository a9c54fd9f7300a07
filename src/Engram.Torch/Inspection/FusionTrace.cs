using static TorchSharp.torch;

namespace Engram.Torch.Inspection;

/// <summary>Records, for every memory layer of one forward pass, what went into the fusion and what came out.</summary>
public sealed class FusionTrace : IDisposable
{
    private readonly SortedDictionary<int, LayerTrace> _layers = [];

    /// <summary>The memory layers seen, ascending.</summary>
    public IEnumerable<int> LayerIds => _layers.Keys;

    /// <summary>The record of a memory layer; created when first asked for.</summary>
    public LayerTrace Layer(int layer)
    {
        if (!_layers.TryGetValue(layer, out var trace))
            _layers.Add(layer, trace = new LayerTrace());
        return trace;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers.Values)
            layer.Dispose();
    }
}

/// <summary>Values of one memory layer, of the last forward pass that was traced.</summary>
public sealed class LayerTrace : IDisposable
{
    private Tensor? _hiddenIn;
    private Tensor? _memory;
    private Tensor? _gate;
    private Tensor? _output;

    /// <summary>Residual streams at the entry of the block, or their one mixture that its attention reads, [B, T, S, D].</summary>
    public Tensor HiddenIn => _hiddenIn ?? throw new InvalidOperationException("No forward pass has been traced.");

    /// <summary>Gathered rows, order-major heads side by side, [B, T, d_mem].</summary>
    public Tensor Memory => _memory ?? throw new InvalidOperationException("No forward pass has been traced.");

    /// <summary>Gate α per stream, [B, T, S], in (0, 1); 1 where the model has no gate, 0 at dead positions.</summary>
    public Tensor Gate => _gate ?? throw new InvalidOperationException("No forward pass has been traced.");

    /// <summary>What was added to the streams, [B, T, S, D].</summary>
    public Tensor Output => _output ?? throw new InvalidOperationException("No forward pass has been traced.");

    internal void SetGate(Tensor gate) => Keep(ref _gate, gate);

    internal void SetFusion(Tensor hiddenIn, Tensor memory, Tensor output)
    {
        Keep(ref _hiddenIn, hiddenIn);
        Keep(ref _memory, memory);
        Keep(ref _output, output);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _hiddenIn?.Dispose();
        _memory?.Dispose();
        _gate?.Dispose();
        _output?.Dispose();
    }

    private static void Keep(ref Tensor? slot, Tensor value)
    {
        slot?.Dispose();
        slot = value.detach().clone().DetachFromDisposeScope();
    }
}

using static TorchSharp.torch;

namespace Engram.Torch.Taps;

/// <summary>What went into the memory fusion of one layer and what came out. The tensors belong to the tap.</summary>
public sealed class MemoryTap : IDisposable
{
    private Tensor? _hiddenIn;
    private Tensor? _memory;
    private Tensor? _gate;
    private Tensor? _output;

    internal MemoryTap() { }

    /// <summary>
    /// Residual streams at the entry of the block, or their one mixture that its attention reads, or the input embedding, [B, T, S, D].
    /// </summary>
    public Tensor HiddenIn => Seen(_hiddenIn);

    /// <summary>Gathered rows, order-major heads side by side, [B, T, d_mem].</summary>
    public Tensor Memory => Seen(_memory);

    /// <summary>Gate α per stream, [B, T, S], in (0, 1); 1 where the model has no gate, 0 at dead positions.</summary>
    public Tensor Gate => Seen(_gate);

    /// <summary>What was added to them, or to the values of all attention heads, [B, T, S, D or H·v].</summary>
    public Tensor Output => Seen(_output);

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

    private static Tensor Seen(Tensor? value) =>
        value ?? throw new InvalidOperationException("The memory was off: there is nothing to see.");

    private static void Keep(ref Tensor? slot, Tensor value)
    {
        slot?.Dispose();
        slot = value.detach().DetachFromDisposeScope();
    }
}

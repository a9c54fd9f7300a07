using Engram.Torch.Memory;
using Engram.Torch.Native;
using Engram.Torch.Sequences;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>What the blocks of one forward pass share.</summary>
internal sealed class ForwardPass
{
    /// <summary>Whether expert load counts and auxiliary losses are wanted.</summary>
    public required bool Training { get; init; }

    /// <summary>
    /// For every position, row-major [B, T], how many positions before it the memory may look back to; −1 at dead positions.
    /// </summary>
    public required int[] Ages { get; init; }

    /// <summary>Rotary angles of the positions, [B or 1, T, pairs, 2].</summary>
    public required Tensor Angles { get; init; }

    /// <summary>
    /// True where position t may see position u, [B, 1, T, U]; null for plain causal attention, over all or within <see cref="Segments"/>.
    /// </summary>
    public required Tensor? AttentionMask { get; init; }

    /// <summary>
    /// Lengths of the documents that attention stays within, end to end over all sequences; null where it crosses them, or the mask says
    /// what is seen.
    /// </summary>
    public required long[]? Segments { get; init; }

    /// <summary>Whether attention works on the latents themselves, as decoding does.</summary>
    public required bool AbsorbedAttention { get; init; }

    /// <summary>Gathered rows; null switches the memory off.</summary>
    public required GatheredMemory? Gathered { get; init; }

    /// <summary>What sequences that are continued carry; null for whole ones.</summary>
    public required StateBatch? States { get; init; }

    /// <summary>Takes inner values that a caller asks for.</summary>
    public required ForwardTaps? Taps { get; init; }

    /// <summary>Sum of the experts' balance losses, or null. In no dispose scope: it outlives those of the layers.</summary>
    public Tensor? AuxiliaryLoss { get; private set; }

    /// <summary>Memory of a block, [B, T, E], or null when it is off.</summary>
    public Tensor? Memory(int layer) => Gathered?.Layer(layer);

    /// <summary>What a block keeps of the positions before, or null for whole sequences.</summary>
    public LayerState? State(int layer) => States is null ? null : new LayerState(States, layer);

    /// <summary>Adds a layer's balance loss.</summary>
    public void AddAuxiliaryLoss(Tensor? loss)
    {
        if (loss is null)
            return;
        using var before = AuxiliaryLoss;
        AuxiliaryLoss = (before is null ? loss.alias() : before.Plus(loss)).DetachFromDisposeScope();
    }
}

using Engram.Torch.Memory;
using Engram.Torch.Generation;
using Engram.Torch.Inspection;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>What the blocks of one forward pass share.</summary>
internal sealed class ForwardPass
{
    /// <summary>Whether expert load counts and auxiliary losses are wanted.</summary>
    public required bool Training { get; init; }

    /// <summary>For every position, row-major [B, T], how many positions before it the memory may look back to; −1 at dead positions.</summary>
    public required int[] Ages { get; init; }

    /// <summary>True where position t may see position u, [B, 1, T, U]; null for plain causal attention.</summary>
    public required Tensor? AttentionMask { get; init; }

    /// <summary>Whether attention works on the latents themselves, as decoding does.</summary>
    public required bool AbsorbedAttention { get; init; }

    /// <summary>Gathered rows; null switches the memory off.</summary>
    public required GatheredMemory? Gathered { get; init; }

    /// <summary>Caches while decoding.</summary>
    public required DecodeState? State { get; init; }

    /// <summary>Receives the memory's inner values when inspection asks for them.</summary>
    public required FusionTrace? Trace { get; init; }

    /// <summary>Sum of the experts' balance losses, or null. In no dispose scope: it outlives those of the layers.</summary>
    public Tensor? AuxiliaryLoss { get; private set; }

    /// <summary>Memory of a block, [B, T, E], or null when it is off.</summary>
    public Tensor? Memory(int layer) => Gathered?.Layer(layer);

    /// <summary>Adds a layer's balance loss.</summary>
    public void AddAuxiliaryLoss(Tensor? loss)
    {
        if (loss is null)
            return;
        using var before = AuxiliaryLoss;
        AuxiliaryLoss = (before is null ? loss.alias() : before.Plus(loss)).DetachFromDisposeScope();
    }
}

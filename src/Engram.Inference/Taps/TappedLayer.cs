using System.Runtime.InteropServices;

namespace Engram.Inference.Taps;

// Shape letters: T tokens of the call   E memory width   M streams that are fused   D hidden width

/// <summary>What one memory layer did with the tokens of a call. Values are row-major.</summary>
public sealed class TappedLayer
{
    private readonly List<float> _memory = [];
    private readonly List<float> _hiddenIn = [];
    private readonly List<float> _gate = [];
    private readonly List<float> _output = [];

    internal TappedLayer(int layer) => Layer = layer;

    /// <summary>0-based block index.</summary>
    public int Layer { get; }

    /// <summary>Gathered rows, order-major heads side by side, [T, E]; zeros at dead positions.</summary>
    public ReadOnlySpan<float> Memory => CollectionsMarshal.AsSpan(_memory);

    /// <summary>
    /// Residual streams at the entry of the block, or their one mixture that its attention reads, or the input embedding, [T, M, D].
    /// </summary>
    public ReadOnlySpan<float> HiddenIn => CollectionsMarshal.AsSpan(_hiddenIn);

    /// <summary>Gate α per stream, [T, M], in (0, 1); 1 where the model has no gate, 0 at dead positions.</summary>
    public ReadOnlySpan<float> Gate => CollectionsMarshal.AsSpan(_gate);

    /// <summary>
    /// What was added to the streams, [T, M, D]; one that is closed (<see cref="Sequences.Sequence.ClosedStream"/>) got none of it.
    /// </summary>
    public ReadOnlySpan<float> Output => CollectionsMarshal.AsSpan(_output);

    /// <summary>Takes the next tokens.</summary>
    internal void Add(ReadOnlySpan<float> memory, ReadOnlySpan<float> hiddenIn, ReadOnlySpan<float> gate, ReadOnlySpan<float> output)
    {
        _memory.AddRange(memory);
        _hiddenIn.AddRange(hiddenIn);
        _gate.AddRange(gate);
        _output.AddRange(output);
    }
}

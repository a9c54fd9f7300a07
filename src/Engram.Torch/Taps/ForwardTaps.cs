using Engram.Models.Configuration;
using static TorchSharp.torch;

namespace Engram.Torch.Taps;

/// <summary>
/// What a caller asks to see of the inside of a forward pass, and, after the pass, what was seen. The pass computes the same to the bit as
/// without. What is not asked costs nothing. A tap keeps tensors alive that the pass would have freed, without copying them: one of [B, T,
/// S, D] for the streams of a layer, two of [B, T, S, D] and one of [B, T, d_mem] for a memory layer, whose gates, which kernels keep to
/// themselves, are computed once more.
/// </summary>
public sealed class ForwardTaps : IDisposable
{
    private readonly Dictionary<int, Tensor> _streams = [];
    private readonly Dictionary<int, MemoryTap> _memory = [];

    /// <summary>Layers, 0-based, behind which the residual streams are wanted.</summary>
    public IReadOnlyCollection<int> StreamLayers { get; init; } = [];

    /// <summary>Memory layers, 0-based, whose values are wanted.</summary>
    public IReadOnlyCollection<int> MemoryLayers { get; init; } = [];

    /// <summary>Residual streams [B, T, S, D] as they leave a layer, of the last pass.</summary>
    /// <param name="layer">One of <see cref="StreamLayers"/>.</param>
    /// <exception cref="InvalidOperationException">They were not asked for, or no pass has been made.</exception>
    public Tensor Streams(int layer) =>
        _streams.TryGetValue(layer, out var seen)
            ? seen
            : throw new InvalidOperationException(
                $"The streams behind layer {layer} have not been seen: name it in StreamLayers and make a forward pass."
            );

    /// <summary>What the memory of a layer did in the last pass.</summary>
    /// <param name="layer">One of <see cref="MemoryLayers"/>.</param>
    /// <exception cref="InvalidOperationException">It was not asked for, no pass has been made, or the memory was off.</exception>
    public MemoryTap Memory(int layer) =>
        _memory.TryGetValue(layer, out var seen)
            ? seen
            : throw new InvalidOperationException(
                $"The memory of layer {layer} has not been seen: name it in MemoryLayers and make a forward pass with gathered rows."
            );

    /// <inheritdoc/>
    public void Dispose() => Forget();

    /// <summary>Begins a pass: what was seen of another is forgotten.</summary>
    /// <exception cref="ArgumentException">A layer is asked for that the model does not have.</exception>
    internal void Begin(ModelConfiguration configuration)
    {
        Forget();
        foreach (var layer in StreamLayers)
            if (layer < 0 || layer >= configuration.NumHiddenLayers)
                throw new ArgumentException(
                    $"Streams of layer {layer} are asked for; the model has the layers 0 to {configuration.NumHiddenLayers - 1}."
                );
        foreach (var layer in MemoryLayers)
            if (!configuration.HasMemory(layer))
                throw new ArgumentException(
                    $"The memory of layer {layer} is asked for; the layers with memory are: "
                        + $"{string.Join(", ", configuration.Engram?.LayerIds ?? [])}."
                );
    }

    /// <summary>Where a layer's memory puts what it did; null if nobody asks.</summary>
    internal MemoryTap? OfMemory(int layer)
    {
        if (!MemoryLayers.Contains(layer))
            return null;
        if (!_memory.TryGetValue(layer, out var tap))
            _memory.Add(layer, tap = new MemoryTap());
        return tap;
    }

    /// <summary>Takes the streams behind a layer if somebody asks.</summary>
    internal void SetStreams(int layer, Tensor streams)
    {
        if (StreamLayers.Contains(layer))
            _streams[layer] = streams.detach().DetachFromDisposeScope();
    }

    private void Forget()
    {
        foreach (var streams in _streams.Values)
            streams.Dispose();
        foreach (var memory in _memory.Values)
            memory.Dispose();
        _streams.Clear();
        _memory.Clear();
    }
}

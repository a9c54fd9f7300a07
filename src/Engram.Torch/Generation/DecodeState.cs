using Engram.Torch.Layers;

namespace Engram.Torch.Generation;

/// <summary>
/// Everything the dense part of a model remembers of its sequences between chunks: attention latents per layer, convolution values per memory
/// layer, and where the current document began. The n-gram window belongs to the memory (<c>MemoryWindows</c>).
/// </summary>
public sealed class DecodeState : IDisposable
{
    private readonly LatentCache[] _latents;
    private readonly Dictionary<int, ConvolutionHistory> _convolutions;

    internal DecodeState(int sequences, LatentCache[] latents, Dictionary<int, ConvolutionHistory> convolutions)
    {
        (_latents, _convolutions) = (latents, convolutions);
        Ages = new int[sequences];
        Array.Fill(Ages, -1);
        Documents = [.. Enumerable.Range(0, sequences).Select(_ => new List<int>())];
    }

    /// <summary>Positions seen so far, the same for all sequences.</summary>
    public long Length => _latents[0].Length;

    /// <summary>Number of sequences.</summary>
    public int Sequences => Ages.Length;

    /// <summary>Age of the last position within its document, per sequence; −1 before the first.</summary>
    internal int[] Ages { get; }

    /// <summary>Running document number of every position seen, per sequence.</summary>
    internal List<int>[] Documents { get; }

    internal LatentCache Latents(int layer) => _latents[layer];

    internal ConvolutionHistory? Convolution(int layer) => _convolutions.GetValueOrDefault(layer);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var latents in _latents)
            latents.Dispose();
        foreach (var history in _convolutions.Values)
            history.Dispose();
    }
}

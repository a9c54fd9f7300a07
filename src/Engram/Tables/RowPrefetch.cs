namespace Engram.Tables;

/// <summary>A read that a <see cref="RowPrefetcher"/> was asked for. Disposing it cancels what has not been read and gives the buffers back; it never waits.</summary>
public readonly struct RowPrefetch : IDisposable
{
    private readonly PrefetchBuffers? _buffers;
    private readonly int _use;   // the buffers serve one read after the other; another number means that this one is over

    internal RowPrefetch(PrefetchBuffers buffers, int use) => (_buffers, _use) = (buffers, use);

    /// <summary>Whether the rows of a layer are there, so that <see cref="Wait"/> returns at once.</summary>
    /// <param name="layerPosition">Position of the layer, 0 to L − 1.</param>
    /// <exception cref="ObjectDisposedException">The read is disposed.</exception>
    public bool IsReady(int layerPosition) => Buffers.IsReady(layerPosition, _use);

    /// <summary>Waits until the rows of a layer are there.</summary>
    /// <param name="layerPosition">Position of the layer, 0 to L − 1.</param>
    /// <returns>The rows [T, H·w], zeros where none is read. Valid until this read is disposed.</returns>
    /// <exception cref="OperationCanceledException">The read was cancelled, or its prefetcher disposed, before this layer was read.</exception>
    /// <exception cref="ObjectDisposedException">The read is disposed.</exception>
    /// <remarks>An exception of the addressing or of a store, for example for an id that does not exist, is thrown here too.</remarks>
    public ReadOnlySpan<float> Wait(int layerPosition) => Buffers.Wait(layerPosition, _use);

    /// <inheritdoc/>
    public void Dispose() => _buffers?.EndUse(_use);

    private PrefetchBuffers Buffers => _buffers ?? throw new InvalidOperationException("This is no read that a prefetcher began.");
}

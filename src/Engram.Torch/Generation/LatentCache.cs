using static TorchSharp.torch;

namespace Engram.Torch.Generation;

/// <summary>
/// What one attention layer remembers per position: the normalised latent and the rotated shared key, whatever the number of heads. Buffers
/// grow by doubling.
/// </summary>
internal sealed class LatentCache : IDisposable
{
    private Tensor? _latent;
    private Tensor? _key;
    private long _capacity;

    /// <summary>Positions held.</summary>
    public long Length { get; private set; }

    /// <summary>Appends T positions: latent [B, T, r], key [B, T, p]. Returns all positions held; the views stay valid until the next append.</summary>
    public (Tensor Latent, Tensor Key) Append(Tensor latent, Tensor key)
    {
        var added = latent.size(1);
        if (Length + added > _capacity)
        {
            _capacity = Math.Max(64, Math.Max(2 * _capacity, Length + added));
            _latent = Grow(_latent, latent);
            _key = Grow(_key, key);
        }

        _latent!.narrow(1, Length, added).copy_(latent);
        _key!.narrow(1, Length, added).copy_(key);
        Length += added;
        return (_latent.narrow(1, 0, Length), _key.narrow(1, 0, Length));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _latent?.Dispose();
        _key?.Dispose();
    }

    private Tensor Grow(Tensor? held, Tensor like)
    {
        var grown = zeros([like.size(0), _capacity, like.size(2)], dtype: like.dtype, device: like.device).DetachFromDisposeScope();
        if (held is null)
            return grown;
        grown.narrow(1, 0, Length).copy_(held.narrow(1, 0, Length));
        held.Dispose();
        return grown;
    }
}

using Engram.Models.Sequences;

namespace Engram.Torch.Sequences;

/// <summary>
/// All that one sequence carries while a model reads it piece by piece: its tokens, from which n-gram window and documents follow, and, for
/// every token, the latent and rotary key of each attention layer and the value of each memory layer with a convolution. A forward pass
/// (<see cref="EngramTransformer.Continue(IReadOnlyList{SequenceState}, ReadOnlySpan{int}, Memory.GatheredMemory, Taps.ForwardTaps)"/>)
/// appends; states at any positions go into one pass together.
/// <para>
/// Per token it takes (r + p) values in each layer (r: latent width, p: rotary width) and S·D more in each memory layer with a convolution
/// (S streams of width D), so that it may be cut anywhere. Room grows by doubling. One thread at a time, for all states that were forked
/// from one another or read together.
/// </para>
/// </summary>
public sealed class SequenceState : IDisposable
{
    private bool _disposed;

    internal SequenceState(TokenHistory tokens) => Tokens = tokens;

    /// <summary>The tokens read.</summary>
    public TokenHistory Tokens { get; }

    /// <summary>Number of tokens read: the position of the next one.</summary>
    public int Length => Tokens.Length;

    /// <summary>Where the values of its tokens lie; null before the first.</summary>
    internal StateStorage? Storage { get; private set; }

    /// <summary>Which slot of <see cref="Storage"/> is its own.</summary>
    internal int Slot { get; private set; }

    /// <summary>
    /// An independent state after the same tokens. Their values are shared and copied once, by whichever state is the first to go on beside
    /// the other.
    /// </summary>
    public SequenceState Fork()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var fork = new SequenceState(Tokens.Fork());
        if (Storage is not null)
            fork.MoveTo(Storage, Slot);
        return fork;
    }

    /// <summary>
    /// Forgets all tokens from a position on: the state is the one that it was, or would have been, after the tokens before.
    /// </summary>
    /// <param name="length">Tokens that stay, 0 to <see cref="Length"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer tokens.</exception>
    public void Truncate(int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Tokens.Truncate(length);
        if (length == 0)
            Leave();
    }

    /// <summary>Frees the values unless another state shares them.</summary>
    public void Dispose()
    {
        _disposed = true;
        Leave();
    }

    /// <summary>Makes a slot that holds the values of its tokens its own.</summary>
    internal void MoveTo(StateStorage storage, int slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        storage.Hold(slot);
        Leave();
        (Storage, Slot) = (storage, slot);
    }

    private void Leave()
    {
        Storage?.Release(Slot);
        Storage = null;
    }
}

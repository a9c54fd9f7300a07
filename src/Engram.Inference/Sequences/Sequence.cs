using Engram.Inference.Kernels;
using Engram.Models.Memory;
using Engram.Models.Sequences;

namespace Engram.Inference.Sequences;

/// <summary>
/// One text while a model reads it piece by piece: its tokens, from which n-gram window and documents follow, and for every token the
/// latent and rotary key of each attention
/// layer and the value of each memory layer with a convolution. So it may be cut anywhere, and goes on as if it had never been longer.
/// <para>Per token it takes (r + p) values in each layer (r: latent width, p: rotary width) and S·D more in each memory layer with a
/// convolution. One thread at a time.</para>
/// </summary>
public sealed unsafe class Sequence
{
    private readonly int[] _widths;
    private readonly int _streams;
    private readonly FloatBuffer[] _values;
    private MemoryBank? _memory;
    private int? _closedStream;
    private int _capacity;

    internal Sequence(object model, MemoryBank? memory, TokenHistory tokens, int[] widths, int streams)
    {
        (Model, _memory, Tokens, _widths, _streams) = (model, memory, tokens, widths, streams);
        _values = new FloatBuffer[widths.Length];
        for (var part = 0; part < widths.Length; part++)
            _values[part] = new FloatBuffer();
    }

    /// <summary>Number of tokens read: the position of the next one.</summary>
    public int Length => Tokens.Length;

    /// <summary>Ids of the tokens read, [T].</summary>
    public ReadOnlySpan<int> TokenIds => Tokens.TokenIds;

    /// <summary>The model that reads it; only told from others.</summary>
    internal object Model { get; }

    /// <summary>
    /// The memory that the next tokens are read with; null adds nothing. It may be exchanged for a control of it in the middle of a text:
    /// what
    /// was read stays as it was read.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// Tokens were read with a memory and the next would be without, or the other way round.
    /// </exception>
    public MemoryBank? Memory
    {
        get => _memory;
        set
        {
            // A convolution looks back at what the memory gave to the tokens before, which must be there.
            if (Length > 0 && value is null != _memory is null)
                throw new InvalidOperationException(
                    "A text is read with a memory, or with controls of it, from its first token to its last, or without."
                );
            _memory = value;
        }
    }

    /// <summary>
    /// A residual stream to which the memory adds nothing, from 0; null for none. It may be changed in the middle of a text.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The memory is fused with fewer streams.</exception>
    public int? ClosedStream
    {
        get => _closedStream;
        set
        {
            if (value is { } stream)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(stream, nameof(value));
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(stream, _streams, nameof(value));
            }

            _closedStream = value;
        }
    }

    /// <summary>The tokens read.</summary>
    internal TokenHistory Tokens { get; }

    /// <summary>An independent sequence after the same tokens, with room for as many.</summary>
    public Sequence Fork()
    {
        var fork = new Sequence(Model, Memory, Tokens.Fork(), _widths, _streams) { _closedStream = _closedStream };
        fork.Reserve(_capacity, kept: 0);
        for (var part = 0; part < _widths.Length; part++)
            Span(part, Length).CopyTo(fork.Span(part, Length));
        return fork;
    }

    /// <summary>
    /// Forgets all tokens from a position on: the sequence is the one that it was, or would have been, after the tokens before.
    /// </summary>
    /// <param name="length">Tokens that stay, 0 to <see cref="Length"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer tokens.</exception>
    public void Truncate(int length) => Tokens.Truncate(length);

    /// <summary>Makes room for the values of so many tokens; those of the tokens read stay.</summary>
    internal void Reserve(int length) => Reserve(length, Length);

    private void Reserve(int length, int kept)
    {
        if (length <= _capacity)
            return;
        _capacity = Math.Max(length, Math.Max(64, 2 * _capacity));
        for (var part = 0; part < _widths.Length; part++)
            _values[part].Reserve((long)_capacity * _widths[part], (long)kept * _widths[part]);
    }

    /// <summary>What a part keeps of a position; those of later positions follow.</summary>
    internal float* Values(int part, int position) => _values[part].Pointer + (long)position * _widths[part];

    private Span<float> Span(int part, int length) => new(_values[part].Pointer, checked(length * _widths[part]));
}

using static TorchSharp.torch;

namespace Engram.Torch.Sequences;

// Shape letters: B sequences   T new positions of each   U positions of the longest, the new ones included   R positions back   w width

/// <summary>
/// The states of one forward pass: B sequences, each at its own position, all longer by T tokens. They are brought into neighbouring slots
/// of one storage, where they usually are already, so that each layer sees them as one tensor. Its tensors belong to the dispose scope of
/// the pass.
/// </summary>
internal sealed class StateBatch
{
    private const int LeastCapacity = 64;

    private readonly IReadOnlyList<SequenceState> _states;
    private readonly Device _device;
    private readonly StateStorage _storage;
    private readonly int _first;
    private readonly Tensor? _newRows;
    private readonly Dictionary<int, long[]> _pastRows = []; // numbers, not tensors: layers ask inside scopes of their own

    /// <summary>Appends the token ids to the histories and makes room for their values.</summary>
    /// <param name="states">B states, each once.</param>
    /// <param name="ids">Row-major [B, T].</param>
    /// <param name="device">Where the model computes.</param>
    /// <exception cref="ArgumentException">A state is given twice.</exception>
    public StateBatch(IReadOnlyList<SequenceState> states, ReadOnlySpan<int> ids, Device device)
    {
        (_states, _device, Length) = (states, device, ids.Length / states.Count);
        Offsets = [.. states.Select(state => state.Length)];
        Visible = Offsets.Max() + Length;
        SamePosition = Offsets.AsSpan().Count(Offsets[0]) == Offsets.Length;
        if (AreNeighbours())
        {
            (_storage, _first) = (states[0].Storage!, states[0].Slot);
        }
        else
        {
            if (states.Distinct().Count() != states.Count)
                throw new ArgumentException("A state is given twice; fork it to go on in two ways.", nameof(states));
            _storage = StateStorage.Collect(states, Math.Max(LeastCapacity, Math.Max(Visible, 2 * Offsets.Max())));
        }

        for (var b = 0; b < states.Count; b++)
        {
            _storage.Write(_first + b, Offsets[b] + Length);
            states[b].Tokens.Append(ids.Slice(b * Length, Length));
        }

        if (!SamePosition)
            _newRows = tensor(Rows(Length, (b, t) => Offsets[b] + t), ScalarType.Int64, device);
    }

    /// <summary>B.</summary>
    public int Sequences => _states.Count;

    /// <summary>T.</summary>
    public int Length { get; }

    /// <summary>Position of the first new token of each sequence, [B].</summary>
    public int[] Offsets { get; }

    /// <summary>U.</summary>
    public int Visible { get; }

    /// <summary>Whether all sequences are at the same position.</summary>
    public bool SamePosition { get; }

    /// <summary>Ages of the new tokens, row-major [B, T].</summary>
    public int[] Ages() => Join(state => state.Tokens.Ages[^Length..]);

    /// <summary>Positions of the first tokens of the new tokens' documents, row-major [B, T].</summary>
    public int[] Documents() => Join(state => state.Tokens.Documents[^Length..]);

    /// <summary>
    /// Keeps the values [B, T, …] of the new positions. Returns those of all positions, [B, U, w]; behind the end of a shorter sequence
    /// they mean nothing. The view stays valid until the next pass.
    /// </summary>
    public Tensor Append(int layer, StatePart part, Tensor values)
    {
        var rows = values.reshape(Sequences, Length, -1);
        var held = _storage.Part(layer, part, rows);
        if (_newRows is null)
            held.narrow(0, _first, Sequences).narrow(1, Offsets[0], Length).copy_(rows);
        else
            held.view(-1, rows.size(2)).index_copy_(0, _newRows, rows.view(Sequences * Length, -1));
        return held.narrow(0, _first, Sequences).narrow(1, 0, Visible);
    }

    /// <summary>
    /// The kept values [B, R, w] of the R positions before the new ones. Before the first position of a sequence they mean nothing.
    /// </summary>
    public Tensor Past(int layer, StatePart part, int reach, Tensor like)
    {
        var held = _storage.Part(layer, part, like);
        if (SamePosition && Offsets[0] >= reach)
            return held.narrow(0, _first, Sequences).narrow(1, Offsets[0] - reach, reach);
        if (!_pastRows.TryGetValue(reach, out var rows))
            _pastRows.Add(reach, rows = Rows(reach, (b, i) => Math.Max(0, Offsets[b] - reach + i)));
        return held.view(-1, held.size(2)).index_select(0, tensor(rows, ScalarType.Int64, _device)).view(Sequences, reach, -1);
    }

    /// <summary>Takes the tokens back, after a pass that failed.</summary>
    public void Undo()
    {
        for (var b = 0; b < Sequences; b++)
            _states[b].Tokens.Truncate(Offsets[b]);
    }

    private bool AreNeighbours()
    {
        var (storage, first) = (_states[0].Storage, _states[0].Slot);
        for (var b = 0; b < _states.Count; b++)
            if (
                storage is null
                || _states[b].Storage != storage
                || _states[b].Slot != first + b
                || !storage.MayAppend(first + b, Offsets[b], Length)
            )
                return false;
        return true;
    }

    /// <summary>Where positions lie in the tensors of the storage, slots end to end.</summary>
    private long[] Rows(int count, Func<int, int, int> position)
    {
        var rows = new long[Sequences * count];
        for (var i = 0; i < rows.Length; i++)
            rows[i] = (_first + i / count) * (long)_storage.Capacity + position(i / count, i % count);
        return rows;
    }

    private delegate ReadOnlySpan<int> NewTokens(SequenceState state);

    private int[] Join(NewTokens values)
    {
        var joined = new int[Sequences * Length];
        for (var b = 0; b < Sequences; b++)
            values(_states[b]).CopyTo(joined.AsSpan(b * Length));
        return joined;
    }
}

/// <summary>The place of one layer in a <see cref="StateBatch"/>.</summary>
/// <param name="Batch">The states of the pass.</param>
/// <param name="Layer">0-based block index.</param>
internal readonly record struct LayerState(StateBatch Batch, int Layer)
{
    /// <inheritdoc cref="StateBatch.Append"/>
    public Tensor Append(StatePart part, Tensor values) => Batch.Append(Layer, part, values);

    /// <inheritdoc cref="StateBatch.Past"/>
    public Tensor Past(StatePart part, int reach, Tensor like) => Batch.Past(Layer, part, reach, like);
}

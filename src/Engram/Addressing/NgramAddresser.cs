using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Engram.Addressing;

/// <summary>
/// Turns canonical token ids into the table rows of their suffix n-grams (paper §2.3, Eq. 1). Integers only: rows depend on ids, never on weights.
/// <para>
/// With c_i the id i positions before t, or the pad id where the window has ended, mix_n = c_0·m_0 XOR … XOR c_(n−1)·m_(n−1)
/// and row[t, n, head] = offset + mix_n mod prime. Columns run order-major: all heads of order 2, then of order 3.
/// Products stay below 2^63 by the choice of the multipliers.
/// </para>
/// <para>
/// A window ends, and everything older counts as pad, at the start of the sequence, of the document, and at a dead position (id −1: an image, padding on the left).
/// A dead position itself reads no row: all its columns are −1, which a table answers with zeros.
/// Sequences of a batch are addressed by one call each, or in one call with a document start at the head of each.
/// </para>
/// Immutable and safe to use from several threads; nothing is allocated per call.
/// </summary>
public sealed class NgramAddresser
{
    /// <summary>The row of a position that reads none.</summary>
    public const long NoRow = -1;

    private readonly Layer[] _layers;
    private readonly int _maxOrder;
    private readonly int _headsPerOrder;
    private readonly int _padId;

    private sealed record Layer(long[] Multipliers, Column[] Columns);

    private readonly record struct Column(FastModulo Modulo, long Offset);

    /// <summary>Prepares the addressing of a model.</summary>
    /// <param name="constants">Derived or loaded.</param>
    /// <param name="oneRow">The capacity-one control: the table has one row per head, H in all, and every n-gram reads it: row = column.</param>
    public NgramAddresser(AddressingConstants constants, bool oneRow = false)
    {
        ArgumentNullException.ThrowIfNull(constants);
        Constants = constants;
        _maxOrder = constants.Spec.MaxOrder;
        _headsPerOrder = constants.Spec.HeadsPerOrder;
        _padId = constants.Spec.PadId;
        // With zero multipliers every mix, and so every remainder, is 0.
        _layers = [.. constants.Layers.Select(layer => new Layer(
            oneRow ? new long[_maxOrder] : [.. layer.Multipliers],
            [.. layer.Primes.SelectMany(heads => heads).Select((prime, column) => new Column(new FastModulo(prime), oneRow ? column : layer.Offsets[column]))]))];
    }

    /// <summary>The constants it uses.</summary>
    public AddressingConstants Constants { get; }

    /// <summary>Memory layers L.</summary>
    public int LayerCount => _layers.Length;

    /// <summary>Rows H = (N − 1)·K that one token reads in one layer.</summary>
    public int Columns => Constants.Spec.Columns;

    /// <summary>A fresh state for <see cref="Append"/>: the start of a document.</summary>
    public AddressWindow NewWindow() => new(_maxOrder);

    /// <summary>Rows of one sequence in one layer.</summary>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if only the first does.</param>
    /// <param name="layerPosition">Position of the layer in <see cref="AddressingSpec.Layers"/>, not its index.</param>
    /// <param name="rows">Receives table rows, offsets included [T, H]; −1 at dead positions.</param>
    /// <exception cref="ArgumentException">A span has the wrong length, or an id is none of the vocabulary.</exception>
    public void Address(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts, int layerPosition, Span<long> rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layerPosition);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layerPosition, _layers.Length);
        Check(canonicalIds, documentStarts, rows.Length, 1);
        Fill(_layers[layerPosition], [], 0, canonicalIds, documentStarts, rows);
    }

    /// <summary>Rows of one sequence in all layers.</summary>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if only the first does.</param>
    /// <param name="rows">Receives table rows, offsets included [L, T, H]; −1 at dead positions.</param>
    /// <exception cref="ArgumentException">A span has the wrong length, or an id is none of the vocabulary.</exception>
    public void AddressAllLayers(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts, Span<long> rows)
    {
        Check(canonicalIds, documentStarts, rows.Length, _layers.Length);
        FillAll([], 0, canonicalIds, documentStarts, rows);
    }

    /// <summary>Rows of the next tokens of a sequence in all layers. However a sequence is cut into chunks, the rows are those of the whole.</summary>
    /// <param name="window">State of the sequence; moved past these tokens unless an exception is thrown.</param>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if none does.</param>
    /// <param name="rows">Receives table rows, offsets included [L, T, H]; −1 at dead positions.</param>
    /// <exception cref="ArgumentException">A span has the wrong length, an id is none of the vocabulary, or the window belongs to another order.</exception>
    public void Append(AddressWindow window, ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts, Span<long> rows)
    {
        ArgumentNullException.ThrowIfNull(window);
        if (window.MaxOrder != _maxOrder)
            throw new ArgumentException($"The window is one of order {window.MaxOrder}, the addressing of order {_maxOrder}.", nameof(window));
        Check(canonicalIds, documentStarts, rows.Length, _layers.Length);
        FillAll(window.Recent, window.Reach, canonicalIds, documentStarts, rows);
        window.Advance(canonicalIds, documentStarts);
    }

    /// <summary>Rows of one sequence in one layer, counted within each segment: mix mod prime, without offsets. The form of published vectors.</summary>
    /// <inheritdoc cref="Address"/>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if only the first does.</param>
    /// <param name="layerPosition">Position of the layer in <see cref="AddressingSpec.Layers"/>, not its index.</param>
    /// <param name="residues">Receives remainders [T, H]; −1 at dead positions.</param>
    public void Residues(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts, int layerPosition, Span<long> residues)
    {
        Address(canonicalIds, documentStarts, layerPosition, residues);
        var columns = _layers[layerPosition].Columns;
        for (var i = 0; i < residues.Length; i++)
            if (residues[i] != NoRow)
                residues[i] -= columns[i % Columns].Offset;
    }

    private void FillAll(ReadOnlySpan<int> recent, int reach, ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts, Span<long> rows)
    {
        var perLayer = ids.Length * Columns;
        for (var layer = 0; layer < _layers.Length; layer++)
            Fill(_layers[layer], recent, reach, ids, starts, rows.Slice(layer * perLayer, perLayer));
    }

    private void Fill(Layer layer, ReadOnlySpan<int> recent, int reach, ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts, Span<long> rows)
    {
        var multipliers = layer.Multipliers;
        ref var column = ref MemoryMarshal.GetArrayDataReference(layer.Columns);
        ref var row = ref MemoryMarshal.GetReference(rows);
        for (var t = 0; t < ids.Length; t++)
        {
            reach = AddressWindow.NextReach(reach, ids[t], !starts.IsEmpty && starts[t], _maxOrder);
            if (reach == 0)
            {
                rows.Slice(t * Columns, Columns).Fill(NoRow);
                continue;
            }
            var mix = ids[t] * multipliers[0];
            nint at = 0, target = (nint)t * Columns;
            for (var back = 1; back < multipliers.Length; back++)
            {
                var id = back >= reach ? _padId : back <= t ? ids[t - back] : recent[back - t - 1];
                mix ^= id * multipliers[back];
                for (var end = at + _headsPerOrder; at < end; at++)
                {
                    ref readonly var c = ref Unsafe.Add(ref column, at);
                    Unsafe.Add(ref row, target + at) = c.Modulo.Of((ulong)mix) + c.Offset;
                }
            }
        }
    }

    private void Check(ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts, int rows, int layers)
    {
        if (!starts.IsEmpty && starts.Length != ids.Length)
            throw new ArgumentException($"{starts.Length} document starts for {ids.Length} ids.");
        if (rows != (long)layers * ids.Length * Columns)
            throw new ArgumentException($"Room for {rows} rows; {layers} layers of {ids.Length} tokens of {Columns} columns need {(long)layers * ids.Length * Columns}.");
        var size = Constants.Spec.CompressedVocabularySize;
        if (ids.IndexOfAnyExceptInRange(-1, size - 1) is var wrong and >= 0)
            throw new ArgumentOutOfRangeException(nameof(ids), ids[wrong], $"Canonical id {ids[wrong]} at position {wrong}; 0 to {size - 1} exist, -1 marks a dead position.");
    }
}

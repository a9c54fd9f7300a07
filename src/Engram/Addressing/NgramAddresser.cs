using System.Runtime.CompilerServices;

namespace Engram.Addressing;

/// <summary>
/// Turns canonical token ids into the table rows of their suffix n-grams (paper §2.2, Eq. 1). Integers only: rows depend on ids, never on
/// weights.
/// <para>
/// With c_i the id i positions before t, or the pad id where the window has ended, mix_n = c_0·m_0 XOR … XOR c_(n−1)·m_(n−1), and
/// row[t, n, head] = offset + mix_n mod prime. Columns run order-major: all heads of order 2, then of order 3. With
/// <see cref="HashScheme.Polynomial"/> the n-gram is the number c_0 + c_1·V′ + … + c_(n−1)·V′^(n−1) in place of the mix. Products stay
/// below 2^63 by the choice of the multipliers.
/// </para>
/// <para>
/// A window ends, and everything older counts as pad, at the start of the sequence, of the document, and at a dead position (id −1: an
/// image, padding on the left). A dead position itself reads no row: all its columns are −1, which a table answers with zeros. Sequences of
/// a batch are addressed by one call each, or in one call with a document start at the head of each.
/// </para>
/// <para>
/// Immutable and safe to use from several threads. The tokens are walked once, a tile at a time, for all layers and orders, several heads
/// per vector instruction; rows depend neither on the vectors of the processor nor on the number of threads. A call with one thread
/// allocates nothing.
/// </para>
/// </summary>
public sealed class NgramAddresser
{
    /// <summary>The row of a position that reads none.</summary>
    public const long NoRow = -1;

    // With 16 columns the rows of a tile take 16 KiB and its mixes 4 KiB: they stay in the first-level cache.
    private const int TileTokens = 128;

    // Room on the stack for a tile whose rows are streamed: 16 KiB.
    private const int StagedRows = 2048;

    // About 15 microseconds of work, several times what starting a thread's share costs.
    private const long RowsPerThread = 1 << 16;

    private readonly Layer[] _layers;
    private readonly int _minOrder;
    private readonly int _maxOrder;
    private readonly int _radix; // V′ where n-grams are polynomial codes, otherwise 0
    private readonly int _headsPerOrder;
    private readonly int _padId;

    private sealed record Layer(long[] Multipliers, OrderHeads[] Orders, long[] Offsets, long[] Moduli);

    /// <summary>One call: pointers into the caller's spans, which stay pinned while it runs.</summary>
    private readonly unsafe struct Work
    {
        public required int FirstLayer { get; init; }
        public required int Layers { get; init; }
        public required int* Ids { get; init; }
        public required bool* Starts { get; init; }
        public required int StartsLength { get; init; }
        public required int Length { get; init; }
        public required int* Recent { get; init; }
        public required int RecentLength { get; init; }
        public required int Reach { get; init; }
        public required long* Rows { get; init; }
        public required bool Streams { get; init; }
    }

    /// <summary>Prepares the addressing of a model.</summary>
    /// <param name="constants">Derived or loaded.</param>
    /// <param name="oneRow">
    /// The capacity-one control: the table has one row per head, H in all, and every n-gram reads it: row = column.
    /// </param>
    public NgramAddresser(AddressingConstants constants, bool oneRow = false)
    {
        ArgumentNullException.ThrowIfNull(constants);
        Constants = constants;
        (_minOrder, _maxOrder) = (constants.Spec.MinOrder, constants.Spec.MaxOrder);
        _radix = constants.Spec.Hash == HashScheme.Polynomial ? constants.Spec.CompressedVocabularySize : 0;
        _headsPerOrder = constants.Spec.HeadsPerOrder;
        _padId = constants.Spec.PadId;
        Columns = constants.Spec.Columns;
        _layers =
        [
            .. constants.Layers.Select(layer =>
            {
                // With zero multipliers every mix, and so every remainder, is 0.
                long[] multipliers = oneRow ? new long[_maxOrder] : [.. layer.Multipliers];
                long[] offsets = oneRow ? [.. Enumerable.Range(0, Columns).Select(column => (long)column)] : [.. layer.Offsets];
                var orders = layer.Primes.Select(
                    (primes, order) => new OrderHeads(primes, offsets.AsSpan(order * _headsPerOrder, _headsPerOrder))
                );
                // Modulo 1 every code is 0.
                long[] moduli = oneRow ? [.. Enumerable.Repeat(1L, Columns)] : [.. layer.Primes.SelectMany(primes => primes)];
                return new Layer(multipliers, [.. orders], offsets, moduli);
            }),
        ];
    }

    /// <summary>The constants it uses.</summary>
    public AddressingConstants Constants { get; }

    /// <summary>Memory layers L.</summary>
    public int LayerCount => _layers.Length;

    /// <summary>Rows H = (N − 1)·K that one token reads in one layer.</summary>
    public int Columns { get; }

    /// <summary>A fresh state for <see cref="Append"/>: the start of a document.</summary>
    public AddressWindow NewWindow() => new(_maxOrder);

    /// <summary>Rows of one sequence in one layer.</summary>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if only the first does.</param>
    /// <param name="layerPosition">Position of the layer in <see cref="AddressingSpec.Layers"/>, not its index.</param>
    /// <param name="rows">Receives table rows, offsets included [T, H]; −1 at dead positions.</param>
    /// <param name="threads">
    /// Threads that may share a large batch; 1, the default, is the calling thread alone. Rows do not depend on it.
    /// </param>
    /// <exception cref="ArgumentException">
    /// A span has the wrong length, an id is none of the vocabulary, or no thread is allowed.
    /// </exception>
    public void Address(
        ReadOnlySpan<int> canonicalIds,
        ReadOnlySpan<bool> documentStarts,
        int layerPosition,
        Span<long> rows,
        int threads = 1
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layerPosition);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layerPosition, _layers.Length);
        Check(canonicalIds, documentStarts, rows.Length, 1, threads);
        Fill(layerPosition, 1, [], 0, canonicalIds, documentStarts, rows, threads);
    }

    /// <summary>Rows of one sequence in all layers.</summary>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if only the first does.</param>
    /// <param name="rows">Receives table rows, offsets included [L, T, H]; −1 at dead positions.</param>
    /// <param name="threads">
    /// Threads that may share a large batch; 1, the default, is the calling thread alone. Rows do not depend on it.
    /// </param>
    /// <exception cref="ArgumentException">
    /// A span has the wrong length, an id is none of the vocabulary, or no thread is allowed.
    /// </exception>
    public void AddressAllLayers(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts, Span<long> rows, int threads = 1)
    {
        Check(canonicalIds, documentStarts, rows.Length, _layers.Length, threads);
        Fill(0, _layers.Length, [], 0, canonicalIds, documentStarts, rows, threads);
    }

    /// <summary>
    /// Rows of the next tokens of a sequence in all layers. However a sequence is cut into chunks, the rows are those of the whole.
    /// </summary>
    /// <param name="window">State of the sequence; moved past these tokens unless an exception is thrown.</param>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if none does.</param>
    /// <param name="rows">Receives table rows, offsets included [L, T, H]; −1 at dead positions.</param>
    /// <param name="threads">
    /// Threads that may share a large batch; 1, the default, is the calling thread alone. Rows do not depend on it.
    /// </param>
    /// <exception cref="ArgumentException">
    /// A span has the wrong length, an id is none of the vocabulary, no thread is allowed, or the window belongs to another order.
    /// </exception>
    public void Append(
        AddressWindow window,
        ReadOnlySpan<int> canonicalIds,
        ReadOnlySpan<bool> documentStarts,
        Span<long> rows,
        int threads = 1
    )
    {
        ArgumentNullException.ThrowIfNull(window);
        if (window.MaxOrder != _maxOrder)
            throw new ArgumentException(
                $"The window is one of order {window.MaxOrder}, the addressing of order {_maxOrder}.",
                nameof(window)
            );
        Check(canonicalIds, documentStarts, rows.Length, _layers.Length, threads);
        Fill(0, _layers.Length, window.Recent, window.Reach, canonicalIds, documentStarts, rows, threads);
        window.Advance(canonicalIds, documentStarts);
    }

    /// <summary>
    /// Rows of one sequence in one layer, counted within each segment: mix mod prime, without offsets. The form of published vectors.
    /// </summary>
    /// <inheritdoc cref="Address"/>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if only the first does.</param>
    /// <param name="layerPosition">Position of the layer in <see cref="AddressingSpec.Layers"/>, not its index.</param>
    /// <param name="residues">Receives remainders [T, H]; −1 at dead positions.</param>
    public void Residues(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts, int layerPosition, Span<long> residues)
    {
        Address(canonicalIds, documentStarts, layerPosition, residues);
        var offsets = _layers[layerPosition].Offsets;
        for (var i = 0; i < residues.Length; i++)
            if (residues[i] != NoRow)
                residues[i] -= offsets[i % Columns];
    }

    private unsafe void Fill(
        int firstLayer,
        int layers,
        ReadOnlySpan<int> recent,
        int reach,
        ReadOnlySpan<int> ids,
        ReadOnlySpan<bool> starts,
        Span<long> rows,
        int threads
    )
    {
        fixed (
            int* recentIds = recent,
                allIds = ids
        )
        fixed (bool* allStarts = starts)
        fixed (long* allRows = rows)
        {
            var streams = rows.Length >= RowStream.LeastRows && Columns * TileMixes.Capacity(1) <= StagedRows;
            var work = new Work
            {
                FirstLayer = firstLayer,
                Layers = layers,
                Ids = allIds,
                Starts = allStarts,
                StartsLength = starts.Length,
                Length = ids.Length,
                Recent = recentIds,
                RecentLength = recent.Length,
                Reach = reach,
                Rows = allRows,
                Streams = streams,
            };
            var parts = (int)Math.Clamp(rows.Length / RowsPerThread, 1, threads);
            if (parts == 1)
                FillPart(work, 0, ids.Length);
            else
                FillParallel(work, parts);
        }
    }

    private void FillParallel(Work work, int parts) =>
        Parallel.For(
            0,
            parts,
            part => FillPart(work, (int)((long)work.Length * part / parts), (int)((long)work.Length * (part + 1) / parts))
        );

    /// <summary>Rows of consecutive tokens of the sequence in all wanted layers.</summary>
    [SkipLocalsInit]
    private unsafe void FillPart(Work work, int from, int to)
    {
        var tile = Math.Min(to - from, work.Streams ? Math.Min(TileTokens, StagedRows / Columns) : TileTokens);
        var capacity = TileMixes.Capacity(tile);
        var scratch = stackalloc byte[TileMixes.ScratchBytes(capacity, _maxOrder)];
        var staged = stackalloc long[work.Streams ? tile * Columns : 0];
        var mixes = new TileMixes(scratch, capacity, _maxOrder, _padId);
        var ids = new ReadOnlySpan<int>(work.Ids, work.Length);
        var starts = new ReadOnlySpan<bool>(work.Starts, work.StartsLength);
        var recent = new ReadOnlySpan<int>(work.Recent, work.RecentLength);
        var reach = ReachBefore(from, work.Reach, ids, starts);
        for (var at = from; at < to; at += tile)
        {
            var count = Math.Min(tile, to - at);
            var anyDead = mixes.Load(ids, starts, at, count, recent, ref reach);
            for (var layer = 0; layer < work.Layers; layer++)
            {
                var target = work.Rows + ((long)layer * work.Length + at) * Columns;
                FillTile(_layers[work.FirstLayer + layer], mixes, count, anyDead, work.Streams ? staged : target);
                if (work.Streams)
                    RowStream.Copy(staged, target, count * Columns);
            }
        }
        // Streamed stores are weakly ordered: they must be visible before whoever waits for this part goes on.
        if (work.Streams)
            Interlocked.MemoryBarrier();
    }

    private unsafe void FillTile(Layer layer, in TileMixes mixes, int count, bool anyDead, long* rows)
    {
        if (_radix > 0)
            FillCodes(layer, mixes, count, rows);
        else
            FillMixes(layer, mixes, count, rows);
        if (!anyDead)
            return;
        for (var t = 0; t < count; t++)
            if (mixes.Ids[t] < 0)
                new Span<long>(rows + t * Columns, Columns).Fill(NoRow);
    }

    private unsafe void FillMixes(Layer layer, in TileMixes mixes, int count, long* rows)
    {
        mixes.Begin(count, layer.Multipliers[0]);
        if (_minOrder == 1)
        {
            mixes.Round(count);
            layer.Orders[0].Fill(mixes, count, rows, Columns);
        }

        for (var back = 1; back < _maxOrder; back++)
        {
            mixes.Extend(count, back, layer.Multipliers[back]);
            var order = back + 1 - _minOrder;
            if (order >= 0)
                layer.Orders[order].Fill(mixes, count, rows + (order * _headsPerOrder), Columns);
        }
    }

    /// <summary>
    /// Polynomial codes modulo each segment by Horner's rule, the oldest token first: every intermediate value stays below 2^63.
    /// </summary>
    private unsafe void FillCodes(Layer layer, in TileMixes mixes, int count, long* rows)
    {
        for (var t = 0; t < count; t++, rows += Columns)
        for (var column = 0; column < Columns; column++)
        {
            var (code, modulus) = (0L, layer.Moduli[column]);
            for (var back = _minOrder + (column / _headsPerOrder) - 1; back >= 0; back--)
                code = ((code * _radix) + mixes.Id(t, back)) % modulus;
            rows[column] = code + layer.Offsets[column];
        }
    }

    /// <summary>Reach of the token before a part: the last N tokens decide it, wherever the part begins.</summary>
    private int ReachBefore(int from, int reachBeforeSequence, ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts)
    {
        var first = Math.Max(0, from - _maxOrder);
        var reach = first == 0 ? reachBeforeSequence : 0;
        for (var t = first; t < from; t++)
            reach = AddressWindow.NextReach(reach, ids[t], !starts.IsEmpty && starts[t], _maxOrder);
        return reach;
    }

    private void Check(ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts, int rows, int layers, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (!starts.IsEmpty && starts.Length != ids.Length)
            throw new ArgumentException($"{starts.Length} document starts for {ids.Length} ids.");
        if (rows != (long)layers * ids.Length * Columns)
            throw new ArgumentException(
                $"Room for {rows} rows; {layers} layers of {ids.Length} tokens of {Columns} columns need "
                    + $"{(long)layers * ids.Length * Columns}."
            );
        var size = Constants.Spec.CompressedVocabularySize;
        if (ids.IndexOfAnyExceptInRange(-1, size - 1) is var wrong and >= 0)
            throw new ArgumentOutOfRangeException(
                nameof(ids),
                ids[wrong],
                $"Canonical id {ids[wrong]} at position {wrong}; 0 to {size - 1} exist, -1 marks a dead position."
            );
    }
}

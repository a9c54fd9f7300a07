namespace Engram.Addressing.Statistics;

/// <summary>
/// Takes a corpus token by token and computes what its n-grams do to the rows of a memory: exact numbers in bounded memory. Half of the
/// budget counts distinct n-grams, which go to temporary files when they do not fit; the other half counts rows, as many at a time as it
/// holds. The budget decides how long it takes, never the result. Not thread-safe.
/// </summary>
public sealed class AddressingCensus : IDisposable
{
    /// <summary>Memory unless said otherwise, in bytes.</summary>
    public const long DefaultMemory = 1L << 30;

    /// <summary>Smallest <c>memory</c>, in bytes.</summary>
    public const long MinMemory = 1L << 20;

    private readonly AddressingConstants _constants;
    private readonly NgramPacking _packing;
    private readonly NgramSorter[] _orders;
    private readonly long _rowsAtATime;
    private UInt128 _window;
    private int _reach;
    private long _positions;
    private bool _completed;

    /// <summary>Prepares a census.</summary>
    /// <param name="constants">Of the memory.</param>
    /// <param name="memory">Bytes for counting, at least <see cref="MinMemory"/>.</param>
    /// <param name="temporaryFolder">
    /// Receives temporary files, 24 bytes per distinct n-gram and twice that while they are merged; the system's folder if null. The files
    /// have no name: they are gone when the process is, however it ends.
    /// </param>
    /// <exception cref="ArgumentException">
    /// The n-grams of the longest order do not fit 128 bits, the hash is not the memory's own, or the budget is too small.
    /// </exception>
    public AddressingCensus(AddressingConstants constants, long memory = DefaultMemory, string? temporaryFolder = null)
        : this(constants, SlotsWithin(constants, memory), memory / 2 / RowCounter.BytesPerRow, temporaryFolder ?? Path.GetTempPath()) { }

    /// <summary>For tests, which ask for tables smaller than any budget allows.</summary>
    internal AddressingCensus(AddressingConstants constants, int slotsPerOrder, long rowsAtATime, string temporaryFolder)
    {
        _constants = constants;
        _packing = new NgramPacking(constants.Spec);
        _orders = [.. constants.Spec.SlotsPerOrder.Select(_ => new NgramSorter(slotsPerOrder, temporaryFolder))];
        _rowsAtATime = Math.Min(rowsAtATime, Array.MaxLength);
    }

    /// <summary>
    /// Counts the n-grams that end at the next tokens. However a corpus is cut into chunks, the result is that of the whole.
    /// </summary>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position, which reads no row.</param>
    /// <param name="documentStarts">
    /// Whether a document starts at each position [T]; empty if none does. The first token of all always starts one.
    /// </param>
    /// <exception cref="ArgumentException">An id is none of the vocabulary, or the starts have another length.</exception>
    /// <exception cref="InvalidOperationException">The census is complete.</exception>
    /// <exception cref="IOException">The temporary folder is full or cannot be written.</exception>
    public void Add(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts)
    {
        if (_completed)
            throw new InvalidOperationException("The census is complete; make another one for more tokens.");
        if (!documentStarts.IsEmpty && documentStarts.Length != canonicalIds.Length)
            throw new ArgumentException($"{documentStarts.Length} document starts for {canonicalIds.Length} ids.", nameof(documentStarts));
        var spec = _constants.Spec;
        if (canonicalIds.IndexOfAnyExceptInRange(-1, spec.CompressedVocabularySize - 1) is var wrong and >= 0)
            throw new ArgumentOutOfRangeException(
                nameof(canonicalIds),
                canonicalIds[wrong],
                $"Canonical id {canonicalIds[wrong]} at position {wrong}; 0 to {spec.CompressedVocabularySize - 1} exist, -1 marks a dead "
                    + "position."
            );
        for (var t = 0; t < canonicalIds.Length; t++)
        {
            var id = canonicalIds[t];
            _reach = AddressWindow.NextReach(_reach, id, !documentStarts.IsEmpty && documentStarts[t], spec.MaxOrder);
            if (_reach == 0)
                continue;
            _window = _packing.Push(_window, id);
            _positions++;
            for (var order = spec.MinOrder; order <= spec.MaxOrder; order++)
                _orders[order - spec.MinOrder].Add(_packing.Ngram(_window, _reach, order));
        }
    }

    /// <summary>Computes the statistics of all tokens added. May be called once.</summary>
    /// <param name="layerPositions">Positions in <see cref="AddressingSpec.Layers"/> of the layers to look at; all if null.</param>
    /// <param name="progress">Told the share done, 0 to 1.</param>
    /// <param name="cancellation">Ends the computation.</param>
    /// <exception cref="InvalidOperationException">It was called before, or no token was added.</exception>
    /// <exception cref="IOException">The temporary folder is full or cannot be written.</exception>
    public AddressingStatistics Complete(
        IReadOnlyList<int>? layerPositions = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        if (_completed)
            throw new InvalidOperationException("The census is complete already.");
        if (_positions == 0)
            throw new InvalidOperationException("There is no token to make statistics of.");
        _completed = true;
        layerPositions ??= [.. Enumerable.Range(0, _constants.Layers.Length)];
        NgramRun[] ngrams = [.. _orders.Select(order => order.Complete(cancellation))];
        var orders = ngrams
            .Select((run, i) => new OrderStatistics(i + _constants.Spec.MinOrder, run.Count, CountedOnce(run, cancellation), _positions))
            .ToArray();

        var total = layerPositions.Count * _constants.Spec.HeadsPerOrder * ngrams.Sum(run => run.Count);
        var done = 0.0;
        var counter = new RowCounter(
            _packing,
            _rowsAtATime,
            _positions,
            cancellation,
            ngramsDone => progress?.Report((done += ngramsDone) / total)
        );
        var layers = layerPositions
            .Select(position => counter.Count(_constants.Layers[position], _constants.Spec.MinOrder, ngrams))
            .ToArray();
        return new AddressingStatistics(_positions, orders, layers);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var order in _orders)
            order.Dispose();
    }

    private static int SlotsWithin(AddressingConstants constants, long memory)
    {
        ArgumentNullException.ThrowIfNull(constants);
        if (memory < MinMemory)
            throw new ArgumentOutOfRangeException(
                nameof(memory),
                memory,
                $"{memory} bytes are too little memory for statistics; at least {MinMemory} are needed."
            );
        return (int)Math.Min(memory / 2 / constants.Spec.SlotsPerOrder.Length / NgramTable.PeakBytesPerSlot, Array.MaxLength);
    }

    private static long CountedOnce(NgramRun run, CancellationToken cancellation)
    {
        var once = 0L;
        for (var reader = new NgramRunReader(run); reader.MoveNext(); )
        {
            if (reader.Current.Count == 1)
                once++;
            if (reader.IsAtBlockStart)
                cancellation.ThrowIfCancellationRequested();
        }
        return once;
    }
}

using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Models.Sequences;
using Engram.Tables.Formats;
using Engram.Tokenization;
using Engram.Vocabulary;

namespace Engram.Models.Memory;

/// <summary>
/// The conditional memory of one model: canonical map, addressing and one table per memory layer. Token ids alone decide what is read, so
/// <see cref="Address"/> runs before and beside the forward pass; the stores copy the rows that the blocks consume. Tables are host objects
/// outside autograd, in memory, in a mapped file or behind a cache: no device ever sees more than the rows of a batch.
/// </summary>
public sealed class MemoryBank : IDisposable
{
    /// <summary>Seed of controls unless told.</summary>
    public const int ControlSeed = 20_260_112;

    private const long ByNgram = -2;

    private readonly EngramConfiguration _engram;
    private readonly DocumentRule _rule; // of dead tokens; where documents start comes with the ids
    private readonly long[][]? _fixedRows; // [L, H]: the row that a column reads whatever the n-gram is; ByNgram where that decides

    internal MemoryBank(
        EngramConfiguration engram,
        CanonicalMap map,
        AddressingConstants constants,
        string tokenizerFingerprint,
        ModelTables tables,
        long[][]? fixedRows = null
    )
    {
        _fixedRows = fixedRows;
        (_engram, _rule) = (engram, new DocumentRule(engram, startToken: null));
        Map = map;
        Addresser = new NgramAddresser(constants, engram.OneRow);
        TokenizerFingerprint = tokenizerFingerprint;
        Tables = tables;
    }

    /// <summary>0-based indices of the blocks with memory, ascending.</summary>
    public IReadOnlyList<int> LayerIds => _engram.LayerIds;

    /// <summary>Token id to canonical id.</summary>
    public CanonicalMap Map { get; }

    /// <summary>Canonical ids to table rows.</summary>
    public NgramAddresser Addresser { get; }

    /// <summary>SHA-256 of the tokenizer that the map was built from.</summary>
    public string TokenizerFingerprint { get; }

    /// <summary>Rows that one position reads in one layer, H.</summary>
    public int Columns => Addresser.Columns;

    /// <summary>The tables, in the order of <see cref="LayerIds"/>.</summary>
    public ModelTables Tables { get; }

    /// <summary>Fresh tables for a model: zero, or normal with the configured standard deviation.</summary>
    /// <param name="configuration">With memory; its compressed vocabulary size is not read but taken from the tokenizer.</param>
    /// <param name="tokenizer">Decides the canonical map.</param>
    /// <param name="seed">Of the tables.</param>
    /// <exception cref="ArgumentException">The configuration has no memory, or a pad token that the tokenizer lacks.</exception>
    public static MemoryBank Create(ModelConfiguration configuration, Tokenizer tokenizer, long seed) =>
        Create(configuration, tokenizer, seed, trainingFolder: null, identity: null);

    /// <summary>Fresh tables in files of a folder, where they are trained; in memory if it is null.</summary>
    internal static MemoryBank Create(
        ModelConfiguration configuration,
        Tokenizer tokenizer,
        long seed,
        string? trainingFolder,
        string? identity
    )
    {
        var engram = configuration.Engram ?? throw new ArgumentException("The configuration has no memory.", nameof(configuration));
        var map = engram.CanonicalMapOf(tokenizer);
        if (engram.PadTokenId >= map.VocabularySize)
            throw new ArgumentException(
                $"engram_pad_token_id is {engram.PadTokenId}, but the tokenizer defines the ids 0 to {map.VocabularySize - 1}.",
                nameof(configuration)
            );
        var spec = (engram with { CompressedVocabularySize = map.CanonicalVocabularySize }).Addressing(map[engram.PadTokenId]);
        var constants = AddressingConstants.Derive(spec);
        return new MemoryBank(
            engram,
            map,
            constants,
            tokenizer.Fingerprint,
            ModelTables.Create(engram, constants, seed, trainingFolder, identity)
        );
    }

    /// <summary>Rows of B sequences of equal length in all layers. Integers only; safe on another thread than the model's.</summary>
    /// <param name="tokenIds">Row-major [B, T].</param>
    /// <param name="documentStarts">True at the first token of each document; empty when every sequence is one document.</param>
    /// <param name="sequences">B.</param>
    /// <param name="rows">Receives the rows.</param>
    /// <param name="threads">Threads that may work on it.</param>
    /// <exception cref="ArgumentException">The ids do not make B sequences of equal length, or an id is not in the vocabulary.</exception>
    public void Address(ReadOnlySpan<int> tokenIds, ReadOnlySpan<bool> documentStarts, int sequences, MemoryRows rows, int threads = 1)
    {
        if (sequences < 1 || tokenIds.Length % sequences != 0)
            throw new ArgumentException(
                $"{tokenIds.Length} token ids do not make {sequences} sequences of equal length.",
                nameof(tokenIds)
            );
        rows.Resize(tokenIds.Length, Columns, Tables.Count);
        Canonicalise(tokenIds, rows.CanonicalIds);
        rows.Starts.Clear();
        for (var i = 0; i < documentStarts.Length; i++)
            rows.Starts[i] = _rule.MemoryBegins(documentStarts[i]);
        for (var b = 0; b < sequences; b++)
            rows.Starts[b * (tokenIds.Length / sequences)] = true;
        Addresser.AddressAllLayers(rows.CanonicalIds, rows.Starts, rows.All(Tables.Count), threads);
        PutFixedRows(rows);
    }

    /// <summary>
    /// Rows of the next tokens of B sequences, each at its own position, in all layers: those of the whole sequences, however they are cut.
    /// </summary>
    /// <param name="histories">What the sequences have read so far; they stay as they are.</param>
    /// <param name="tokenIds">The next ids, row-major [B, T].</param>
    /// <param name="rows">Receives the rows.</param>
    /// <exception cref="ArgumentException">The ids do not make B pieces of equal length, or an id is not in the vocabulary.</exception>
    public void AddressNext(IReadOnlyList<TokenHistory> histories, ReadOnlySpan<int> tokenIds, MemoryRows rows)
    {
        if (histories.Count == 0 || tokenIds.Length % histories.Count != 0)
            throw new ArgumentException(
                $"{tokenIds.Length} token ids do not make {histories.Count} pieces of equal length.",
                nameof(tokenIds)
            );
        rows.Resize(tokenIds.Length, Columns, Tables.Count);
        Canonicalise(tokenIds, rows.CanonicalIds);
        var length = tokenIds.Length / histories.Count;
        var chunk = rows.Chunk(Tables.Count * length * Columns);
        var window = rows.Window(Addresser);
        for (var b = 0; b < histories.Count; b++)
        {
            var ids = rows.CanonicalIds.Slice(b * length, length);
            var starts = rows.Starts.Slice(b * length, length);
            for (var t = 0; t < length; t++)
                starts[t] = _rule.MemoryBegins(histories[b].Rule.StartsDocument(tokenIds[b * length + t]));
            MoveTo(histories[b], window);
            Addresser.Append(window, ids, starts, chunk);
            for (var position = 0; position < Tables.Count; position++)
                chunk
                    .Slice(position * length * Columns, length * Columns)
                    .CopyTo(rows.All(Tables.Count)[((position * histories.Count + b) * length * Columns)..]);
        }

        PutFixedRows(rows);
    }

    /// <summary>
    /// Says that rows are needed soon: mapped tables start reading them and do not wait. Safe on another thread than the model's.
    /// </summary>
    /// <param name="rows">Output of <see cref="Address"/>.</param>
    public void Prefetch(MemoryRows rows) => Tables.Prefetch(rows);

    /// <summary>
    /// The memory to read instead of this one in an ablation, made anew and to be disposed; null where there is none to make: on and off.
    /// </summary>
    /// <param name="use">What the memory does.</param>
    /// <param name="seed">Decides what is drawn for exchanged rows, random rows and exchanged keys.</param>
    public MemoryBank? Ablation(MemoryUse use, int seed = ControlSeed) =>
        use switch
        {
            MemoryUse.ShuffledRows => Shuffled((ulong)seed),
            MemoryUse.RandomRows => WithRandomRows((ulong)seed),
            MemoryUse.OneRow => Suppressed(new Suppression { Replacement = SuppressedRow.Mean }),
            MemoryUse.PermutedKeys => WithPermutedKeys(seed),
            _ => null,
        };

    /// <summary>
    /// The same memory with the rows of every head permuted: the control that keeps all statistics of the tables but not their knowledge.
    /// The tables are copied into memory, wherever they lie.
    /// </summary>
    /// <param name="seed">Of the permutation.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory for the copy.</exception>
    public MemoryBank Shuffled(ulong seed) => With(Tables.Shuffled(seed, Segments));

    /// <summary>
    /// The same memory with a random direction in place of every row's own, the norms kept. Reads this memory, which must outlive it.
    /// </summary>
    /// <param name="seed">Of the directions.</param>
    public MemoryBank WithRandomRows(ulong seed) => With(Tables.WithRandomRows(seed));

    /// <summary>
    /// The same memory with a part of it silenced: the rows of that part are zeros or means, whatever the n-gram. Reads this memory's
    /// tables, which must outlive it.
    /// </summary>
    /// <param name="suppression">The part. To which tokens it applies is the caller's affair.</param>
    /// <param name="cancellation">Ends the reading of large tables for their means.</param>
    /// <exception cref="ArgumentException">The memory has no such layer, order or head.</exception>
    public MemoryBank Suppressed(Suppression suppression, CancellationToken cancellation = default)
    {
        suppression.RequireIn(_engram);
        var means = suppression.Replacement == SuppressedRow.Mean;
        long[][] fixedRows =
        [
            .. LayerIds.Select(
                (layer, position) =>
                    Enumerable
                        .Range(0, Columns)
                        .Select(column =>
                            !IsSuppressed(layer, column) ? _fixedRows?[position][column] ?? ByNgram
                            : means ? Tables.Store(position).Rows + column
                            : NgramAddresser.NoRow
                        )
                        .ToArray()
            ),
        ];
        return new MemoryBank(
            _engram,
            Map,
            Addresser.Constants,
            TokenizerFingerprint,
            means
                ? Tables.WithMeans(Segments, position => ModelTables.Rows(_engram, Addresser.Constants, position), cancellation)
                : Tables.Borrowed(),
            fixedRows
        );

        bool IsSuppressed(int layer, int column)
        {
            var (order, head) = (_engram.MinNgramSize + (column / _engram.NHeads), column % _engram.NHeads);
            return (suppression.Layer ?? layer) == layer && (suppression.Order ?? order) == order && (suppression.Head ?? head) == head;
        }
    }

    /// <summary>
    /// The same memory, asked for other n-grams: canonical ids are exchanged before they are hashed. Reads this memory's tables, which must
    /// outlive it.
    /// </summary>
    /// <param name="seed">Of the exchange.</param>
    public MemoryBank WithPermutedKeys(int seed)
    {
        int[] ids = [.. Enumerable.Range(0, Map.CanonicalVocabularySize)];
        new Random(seed).Shuffle(ids);
        return new MemoryBank(_engram, Map.Renamed(ids), Addresser.Constants, TokenizerFingerprint, Tables.Borrowed(), _fixedRows);
    }

    /// <summary>The same memory with its rows stored in another format, as copies in memory: what is lost by it.</summary>
    /// <param name="format">Of all tables.</param>
    /// <param name="threads">Threads that may work on it.</param>
    /// <exception cref="ArgumentOutOfRangeException">Rows of this width cannot be stored so.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory for the copies.</exception>
    public MemoryBank InFormat(RowFormat format, int threads = 1) => With(Tables.InFormat(format, threads));

    /// <inheritdoc/>
    public void Dispose() => Tables.Dispose();

    private MemoryBank With(ModelTables tables) => new(_engram, Map, Addresser.Constants, TokenizerFingerprint, tables, _fixedRows);

    /// <summary>First row of every head's segment of a layer.</summary>
    private ReadOnlyMemory<long> Segments(int position) =>
        _engram.OneRow
            ? Enumerable.Range(0, Columns).Select(i => (long)i).ToArray()
            : Addresser.Constants.Layers[position].Offsets.AsMemory();

    /// <summary>Fixed rows take the place of the addressed ones, except at dead positions, which read nothing.</summary>
    private void PutFixedRows(MemoryRows rows)
    {
        if (_fixedRows is null)
            return;
        var all = rows.All(Tables.Count);
        var perLayer = rows.Tokens * Columns;
        for (var position = 0; position < _fixedRows.Length; position++)
        for (var column = 0; column < Columns; column++)
            if (_fixedRows[position][column] is var row and not ByNgram)
                for (var i = (position * perLayer) + column; i < (position + 1) * perLayer; i += Columns)
                    all[i] = rows.CanonicalIds[(i - (position * perLayer)) / Columns] < 0 ? NgramAddresser.NoRow : row;
    }

    /// <summary>Puts a window behind the last token of a history: its last N tokens decide it.</summary>
    private void MoveTo(TokenHistory history, AddressWindow window)
    {
        var count = Math.Min(history.Length, _engram.MaxNgramSize);
        Span<int> ids = stackalloc int[count];
        Span<bool> starts = stackalloc bool[count];
        Canonicalise(history.TokenIds[^count..], ids);
        for (var i = 0; i < count; i++)
            starts[i] = history.Ages[^(count - i)] == 0;
        window.Reset();
        window.Advance(ids, starts);
    }

    private void Canonicalise(ReadOnlySpan<int> tokenIds, Span<int> canonicalIds)
    {
        for (var i = 0; i < tokenIds.Length; i++)
            canonicalIds[i] = _rule.IsDead(tokenIds[i]) ? -1 : Map[tokenIds[i]];
    }
}

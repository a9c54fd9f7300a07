using System.Collections.Frozen;
using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Tables;
using Engram.Tables.Cache;
using Engram.Tables.Formats;
using Engram.Tokenization;
using Engram.Vocabulary;

namespace Engram.Models.Memory;

/// <summary>
/// The conditional memory of one model: canonical map, addressing and one table per memory layer. Token ids alone decide what is read, so
/// <see cref="Address"/> runs before and beside the forward pass; the stores copy the rows that the blocks consume.
/// Tables are host objects outside autograd, in memory, in a mapped file or behind a cache: no device ever sees more than the rows of a batch.
/// </summary>
public sealed class MemoryBank : IDisposable
{
    private const ulong ControlSeed = 20_260_112;

    private readonly EngramConfiguration _engram;
    private readonly IRowStore[] _stores;
    private readonly FrozenSet<int> _dead;

    internal MemoryBank(EngramConfiguration engram, CanonicalMap map, AddressingConstants constants, string tokenizerFingerprint, IRowStore[] stores)
    {
        (_engram, _dead) = (engram, engram.DeadTokenIds.ToFrozenSet());
        Map = map;
        Addresser = new NgramAddresser(constants, engram.OneRow);
        TokenizerFingerprint = tokenizerFingerprint;
        _stores = stores;
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

    /// <summary>Where the rows of a memory layer come from.</summary>
    /// <param name="position">Position in <see cref="LayerIds"/>.</param>
    public IRowStore Store(int position) => _stores[position];

    /// <summary>The table of a memory layer itself, to be trained or saved.</summary>
    /// <param name="position">Position in <see cref="LayerIds"/>.</param>
    /// <exception cref="InvalidOperationException">Rows come from something else, for example a control.</exception>
    public EngramTable Table(int position) => ((_stores[position] as CachedRowStore)?.Slower ?? _stores[position]) as EngramTable
        ?? throw new InvalidOperationException($"The rows of layer {LayerIds[position]} come from a {_stores[position].GetType().Name}, which cannot be trained or saved.");

    /// <summary>Fresh tables for a model: zero, or normal with the configured standard deviation.</summary>
    /// <param name="configuration">With memory; its compressed vocabulary size is not read but taken from the tokenizer.</param>
    /// <param name="tokenizer">Decides the canonical map.</param>
    /// <param name="seed">Of the tables.</param>
    /// <exception cref="ArgumentException">The configuration has no memory, or a pad token that the tokenizer lacks.</exception>
    public static MemoryBank Create(ModelConfiguration configuration, Tokenizer tokenizer, long seed) => Create(configuration, tokenizer, seed, (_, rows, width) => new EngramTable(rows, width));

    /// <summary>Fresh tables, each made of zeros from layer index, rows and width.</summary>
    internal static MemoryBank Create(ModelConfiguration configuration, Tokenizer tokenizer, long seed, Func<int, long, int, EngramTable> zeros)
    {
        var engram = configuration.Engram ?? throw new ArgumentException("The configuration has no memory.", nameof(configuration));
        var map = engram.CanonicalMapOf(tokenizer);
        if (engram.PadTokenId >= map.VocabularySize)
            throw new ArgumentException($"engram_pad_token_id is {engram.PadTokenId}, but the tokenizer defines the ids 0 to {map.VocabularySize - 1}.", nameof(configuration));
        var spec = (engram with { CompressedVocabularySize = map.CanonicalVocabularySize }).Addressing(map[engram.PadTokenId]);
        var constants = AddressingConstants.Derive(spec);
        IRowStore[] tables = [.. engram.LayerIds.Select((layer, position) =>
        {
            var table = zeros(layer, TableRows(engram, constants, position), engram.HeadDim);
            if (engram.TableInitStd > 0)
                table.FillNormal(StartingSeed.For(seed, $"engram/layer-{layer}"), (float)engram.TableInitStd);
            return table;
        })];
        return new MemoryBank(engram, map, constants, tokenizer.Fingerprint, tables);
    }

    /// <summary>Rows of a layer's table: the sum of its primes, or one per head in the capacity-one control.</summary>
    internal static long TableRows(EngramConfiguration engram, AddressingConstants constants, int position) =>
        engram.OneRow ? constants.Spec.Columns : constants.Layers[position].TotalRows;

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
            throw new ArgumentException($"{tokenIds.Length} token ids do not make {sequences} sequences of equal length.", nameof(tokenIds));
        Canonicalise(tokenIds, rows);
        if (_engram.ResetAtDocuments && documentStarts.Length > 0)
            documentStarts.CopyTo(rows.Starts);
        else
            rows.Starts.Clear();
        for (var b = 0; b < sequences; b++)
            rows.Starts[b * (tokenIds.Length / sequences)] = true;
        Addresser.AddressAllLayers(rows.CanonicalIds, rows.Starts, rows.All(_stores.Length), threads);
    }

    /// <summary>Says that rows are needed soon: mapped tables start reading them and do not wait. Safe on another thread than the model's.</summary>
    /// <param name="rows">Output of <see cref="Address"/>.</param>
    public void Prefetch(MemoryRows rows)
    {
        for (var position = 0; position < _stores.Length; position++)
            _stores[position].Prefetch(rows.Layer(position));
    }

    /// <summary>Windows of <paramref name="sequences"/> sequences at the start of a document, for decoding.</summary>
    public MemoryWindows NewWindows(int sequences = 1) => new(this, [.. Enumerable.Range(0, sequences).Select(_ => Addresser.NewWindow())]);

    /// <summary>The memory to read instead of this one in an ablation, made anew and to be disposed; null where there is none to make: on and off.</summary>
    /// <param name="use">What the memory does.</param>
    public MemoryBank? Ablation(MemoryUse use) => use switch
    {
        MemoryUse.ShuffledRows => Shuffled(ControlSeed),
        MemoryUse.RandomRows => WithRandomRows(ControlSeed),
        _ => null,
    };

    /// <summary>
    /// The same memory with the rows of every head permuted: the control that keeps all statistics of the tables but not their knowledge. The tables
    /// are copied into memory, wherever they lie.
    /// </summary>
    /// <param name="seed">Of the permutation.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory for the copy.</exception>
    public MemoryBank Shuffled(ulong seed) => With(position => Table(position).Shuffled(seed + (ulong)position,
        _engram.OneRow ? [.. Enumerable.Range(0, Columns).Select(i => (long)i)] : Addresser.Constants.Layers[position].Offsets.AsSpan()));

    /// <summary>The same memory with a random direction in place of every row's own, the norms kept. Reads this memory, which must outlive it.</summary>
    /// <param name="seed">Of the directions.</param>
    public MemoryBank WithRandomRows(ulong seed) => With(position => new RandomRows(_stores[position], seed + (ulong)position));

    /// <summary>The same memory with its rows stored in another format, as copies in memory: what is lost by it.</summary>
    /// <param name="format">Of all tables.</param>
    /// <param name="threads">Threads that may work on it.</param>
    /// <exception cref="ArgumentOutOfRangeException">Rows of this width cannot be stored so.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory for the copies.</exception>
    public MemoryBank InFormat(RowFormat format, int threads = 1) => With(position => CopyOf(_stores[position], format, threads));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var store in _stores)
            store.Dispose();
    }

    private MemoryBank With(Func<int, IRowStore> store) =>
        new(_engram, Map, Addresser.Constants, TokenizerFingerprint, [.. Enumerable.Range(0, _stores.Length).Select(store)]);

    private static EngramTable CopyOf(IRowStore store, RowFormat format, int threads)
    {
        const int chunk = 4096;
        var table = new EngramTable(store.Rows, store.Width, format);
        var (rows, values) = (new long[chunk], new float[chunk * store.Width]);
        for (var first = 0L; first < store.Rows; first += chunk)
        {
            var count = (int)Math.Min(chunk, store.Rows - first);
            for (var i = 0; i < count; i++)
                rows[i] = first + i;
            store.Gather(rows.AsSpan(0, count), values.AsSpan(0, count * store.Width), threads);
            table.Write(first, values.AsSpan(0, count * store.Width));
        }

        return table;
    }

    internal void Append(AddressWindow[] windows, ReadOnlySpan<int> tokenIds, ReadOnlySpan<bool> documentStarts, MemoryRows rows)
    {
        Canonicalise(tokenIds, rows);
        var length = tokenIds.Length / windows.Length;
        var chunk = new long[_stores.Length * length * Columns];
        for (var b = 0; b < windows.Length; b++)
        {
            var starts = _engram.ResetAtDocuments && documentStarts.Length > 0 ? documentStarts.Slice(b * length, length) : [];
            Addresser.Append(windows[b], rows.CanonicalIds.Slice(b * length, length), starts, chunk);
            for (var position = 0; position < _stores.Length; position++)
                chunk.AsSpan(position * length * Columns, length * Columns)
                    .CopyTo(rows.All(_stores.Length)[((position * windows.Length + b) * length * Columns)..]);
        }
    }

    private void Canonicalise(ReadOnlySpan<int> tokenIds, MemoryRows rows)
    {
        rows.Resize(tokenIds.Length, Columns, _stores.Length);
        for (var i = 0; i < tokenIds.Length; i++)
            rows.CanonicalIds[i] = _dead.Count > 0 && _dead.Contains(tokenIds[i]) ? -1 : Map[tokenIds[i]];
    }
}

using Engram.Addressing;
using Engram.Models.Configuration;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Cache;
using Engram.Tables.Formats;

namespace Engram.Models.Memory;

/// <summary>
/// The tables of one model: made, opened, cached, converted, trained, checkpointed and closed here and nowhere else. Who reads rows asks
/// for a <see cref="Store"/>; who trains them calls <see cref="Train"/>. They lie in memory, in mapped files, behind caches, or in mapped
/// files that are trained where they lie.
/// </summary>
public sealed partial class ModelTables : IDisposable
{
    private readonly IReadOnlyList<int> _layers;
    private readonly Entry[] _entries;
    private readonly TrainingTables? _trained; // where tables lie that are trained in place
    private readonly bool _borrowed;

    /// <summary>Where rows come from, and the table they come from in the end; null if there is none to train or save.</summary>
    private readonly record struct Entry(IRowStore Store, EngramTable? Table)
    {
        public static Entry Of(EngramTable table) => new(table, table);
    }

    private ModelTables(IReadOnlyList<int> layers, Entry[] entries, TrainingTables? trained = null, bool borrowed = false) =>
        (_layers, _entries, _trained, _borrowed) = (layers, entries, trained, borrowed);

    /// <summary>Memory layers, L.</summary>
    public int Count => _entries.Length;

    /// <summary>Where the rows of a memory layer come from.</summary>
    /// <param name="position">Position among the memory layers, 0 to L − 1.</param>
    public IRowStore Store(int position) => _entries[position].Store;

    /// <summary>The table of a memory layer itself.</summary>
    /// <param name="position">Position among the memory layers, 0 to L − 1.</param>
    /// <exception cref="InvalidOperationException">Its rows are no table's.</exception>
    public EngramTable Table(int position) =>
        _entries[position].Table
        ?? throw new InvalidOperationException(
            $"The rows of layer {_layers[position]} come from {_entries[position].Store.GetType().Name}, which cannot be trained or saved."
        );

    /// <summary>Rows of a layer's table: the sum of its primes, or one per head in the capacity-one control.</summary>
    internal static long Rows(EngramConfiguration engram, AddressingConstants constants, int position) =>
        engram.OneRow ? constants.Spec.Columns : constants.Layers[position].TotalRows;

    /// <summary>Fresh tables: zero, or normal with the configured standard deviation.</summary>
    /// <param name="engram">Layers, width and standard deviation.</param>
    /// <param name="constants">Rows.</param>
    /// <param name="seed">Of the values.</param>
    /// <param name="trainingFolder">Where the tables are made as sparse files, to be trained there; null for memory.</param>
    /// <param name="identity">Of the training, or null.</param>
    internal static ModelTables Create(
        EngramConfiguration engram,
        AddressingConstants constants,
        long seed,
        string? trainingFolder,
        string? identity
    )
    {
        var trained = trainingFolder is null ? null : new TrainingTables(trainingFolder);
        return Make(
            engram.LayerIds,
            trained,
            position =>
            {
                var (layer, rows) = (engram.LayerIds[position], Rows(engram, constants, position));
                var table = trained is null
                    ? new EngramTable(rows, engram.HeadDim) { Identity = identity }
                    : trained.Create(layer, rows, engram.HeadDim, identity);
                if (engram.TableInitStd > 0)
                    table.FillNormal(StartingSeed.For(seed, $"engram/layer-{layer}"), (float)engram.TableInitStd);
                return Entry.Of(table);
            }
        );
    }

    /// <summary>Opens the tables of a model folder, or those that are trained elsewhere.</summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="engram">Layers and width.</param>
    /// <param name="constants">Rows.</param>
    /// <param name="options">Where the tables live.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or has other rows or another width.</exception>
    internal static ModelTables Open(string folder, EngramConfiguration engram, AddressingConstants constants, MemoryOptions options)
    {
        var trained = options.TrainingFolder is null ? null : new TrainingTables(options.TrainingFolder);
        return Make(
            engram.LayerIds,
            trained,
            position =>
            {
                var (layer, rows) = (engram.LayerIds[position], Rows(engram, constants, position));
                var (file, tensor) = (
                    trained is null ? Path.Combine(folder, TablePaths.Table(layer)) : trained.TableFile(layer),
                    TablePaths.Tensor(layer)
                );
                var table =
                    trained is not null ? trained.Open(layer)
                    : options.Tables == TableLocation.Memory ? EngramTable.Load(file, tensor)
                    : EngramTable.Map(file, tensor);
                if (table.Rows != rows || table.Width != engram.HeadDim)
                {
                    table.Dispose();
                    throw new InvalidDataException(
                        $"{file}: the table has {table.Rows} rows of {table.Width} values, but config.json makes it {rows} of "
                            + $"{engram.HeadDim}."
                    );
                }
                if (options.Tables != TableLocation.Cached)
                    return Entry.Of(table);
                var capacity = CachedRowStore.RowsWithin(options.RowCacheBytes / engram.LayerIds.Count, table.Format, table.Width);
                return new Entry(new CachedRowStore(table, Math.Max(1, capacity), $"layer {layer}"), table);
            }
        );
    }

    /// <summary>
    /// Refuses tables of another training than the weights beside them, and gives them a new identity if they are to have one.
    /// </summary>
    /// <param name="weights">Path of the weights.</param>
    /// <param name="identity">Their identity, or null.</param>
    /// <param name="folder">The model folder.</param>
    /// <param name="options">How the tables were opened.</param>
    /// <exception cref="InvalidDataException">A table is of another training; the message names both files.</exception>
    internal void Identify(string weights, string? identity, string folder, MemoryOptions options)
    {
        // Tables that are trained in place were copied under the new identity.
        var expected = _trained is null ? identity : options.NewIdentity ?? identity;
        for (var position = 0; position < Count; position++)
        {
            var (table, layer) = (Table(position), _layers[position]);
            var file = _trained?.TableFile(layer) ?? Path.Combine(folder, TablePaths.Table(layer));
            ModelIdentity.Require(weights, expected, file, table.Identity);
            table.Identity = options.NewIdentity ?? identity;
        }
    }

    /// <summary>
    /// Says that rows are needed soon: mapped tables start reading them and do not wait. Safe on another thread than the model's.
    /// </summary>
    /// <param name="rows">Of all layers.</param>
    public void Prefetch(MemoryRows rows)
    {
        for (var position = 0; position < Count; position++)
            Store(position).Prefetch(rows.Layer(position));
    }

    /// <summary>
    /// Writes the tables into a model folder, each under a name of its own for a table that is trained in place: no copy where the file
    /// system has hard links.
    /// </summary>
    /// <param name="folder">With a folder <c>engram</c>.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">Rows are no table's.</exception>
    public void SaveInto(string folder)
    {
        for (var position = 0; position < Count; position++)
        {
            var (table, layer) = (Table(position), _layers[position]);
            var file = Path.Combine(folder, TablePaths.Table(layer));
            if (_trained is null)
            {
                table.Save(file, TablePaths.Tensor(layer));
                continue;
            }
            table.Flush();
            HardLink.CreateOrCopy(_trained.TableFile(layer), file);
        }
    }

    /// <summary>Copies in memory whose rows are permuted within each head: statistics kept, knowledge not.</summary>
    /// <param name="seed">Of the permutation.</param>
    /// <param name="heads">First row of every head of a layer, by position.</param>
    internal ModelTables Shuffled(ulong seed, Func<int, ReadOnlyMemory<long>> heads) =>
        Make(_layers, null, position => Entry.Of(Table(position).Shuffled(seed + (ulong)position, heads(position).Span)));

    /// <summary>A random direction in place of every row's own, the norms kept. Reads these tables, which must outlive it.</summary>
    internal ModelTables WithRandomRows(ulong seed) =>
        Make(_layers, null, position => new Entry(new RandomRows(Store(position), seed + (ulong)position), null));

    /// <summary>These tables with, behind the rows of each, the mean of every segment. They must outlive the result.</summary>
    /// <param name="segments">First row of every segment of a layer, by position.</param>
    /// <param name="ends">Rows of all segments of a layer, by position; behind them may stand means of an earlier call.</param>
    /// <param name="cancellation">Ends the reading of large tables.</param>
    internal ModelTables WithMeans(Func<int, ReadOnlyMemory<long>> segments, Func<int, long> ends, CancellationToken cancellation) =>
        Make(
            _layers,
            null,
            position => new Entry(
                new SuppressedRows(Store(position), Means(Store(position), segments(position).Span, ends(position), cancellation)),
                null
            )
        );

    /// <summary>These tables for another reader: they must outlive it, and its end leaves them open.</summary>
    internal ModelTables Borrowed() => new(_layers, _entries, borrowed: true);

    /// <summary>Copies in memory, in another format.</summary>
    internal ModelTables InFormat(RowFormat format, int threads) =>
        Make(_layers, null, position => Entry.Of(CopyOf(Store(position), format, threads)));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var optimizer in _optimizers)
            optimizer.Dispose();
        if (_borrowed)
            return;
        foreach (var entry in _entries)
            entry.Store.Dispose();
    }

    private static ModelTables Make(IReadOnlyList<int> layers, TrainingTables? trained, Func<int, Entry> make)
    {
        var entries = new List<Entry>();
        try
        {
            for (var position = 0; position < layers.Count; position++)
                entries.Add(make(position));
        }
        catch
        {
            entries.ForEach(entry => entry.Store.Dispose());
            throw;
        }
        return new ModelTables(layers, [.. entries], trained);
    }

    /// <summary>Mean of the rows of every segment [segments, w], summed in float64.</summary>
    private static float[] Means(IRowStore store, ReadOnlySpan<long> segments, long end, CancellationToken cancellation)
    {
        const int chunk = 4096;
        var (rows, values, means) = (new long[chunk], new float[chunk * store.Width], new float[segments.Length * store.Width]);
        for (var segment = 0; segment < segments.Length; segment++)
        {
            var (from, to, sums) = (
                segments[segment],
                segment + 1 < segments.Length ? segments[segment + 1] : end,
                new double[store.Width]
            );
            for (var first = from; first < to; first += chunk)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = (int)Math.Min(chunk, to - first);
                for (var i = 0; i < count; i++)
                    rows[i] = first + i;
                store.Gather(rows.AsSpan(0, count), values.AsSpan(0, count * store.Width));
                for (var i = 0; i < count * store.Width; i++)
                    sums[i % store.Width] += values[i];
            }

            for (var i = 0; i < store.Width; i++)
                means[(segment * store.Width) + i] = (float)(sums[i] / (to - from));
        }

        return means;
    }

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
}

using Engram.Addressing;

namespace Engram.Tables;

/// <summary>
/// Reads the rows of coming tokens in all memory layers while other work goes on. Rows depend on token ids alone (paper §2.5), so the ids are enough:
/// <see cref="Start(ReadOnlySpan{int}, ReadOnlySpan{bool}, CancellationToken)"/> returns at once, one background thread computes addresses and reads layer after layer,
/// and <see cref="RowPrefetch.Wait"/> hands out the rows of one layer as soon as they are there.
/// Any number of reads may be in flight; they are served in the order of their start. Buffers are reused: once there are as many as reads in flight, and as long as the longest of them, nothing is allocated.
/// Safe to use from several threads.
/// </summary>
public sealed class RowPrefetcher : IDisposable
{
    private readonly NgramAddresser _addresser;
    private readonly IRowStore[] _stores;
    private readonly int _threads;
    private readonly Queue<PrefetchBuffers> _waiting = new();   // guarded by itself, as are the next two
    private readonly Stack<PrefetchBuffers> _free = new();
    private bool _disposed;
    private PrefetchBuffers? _reading;
    private readonly Thread _reader;

    /// <summary>Starts the background thread.</summary>
    /// <param name="addresser">Addressing of the model.</param>
    /// <param name="stores">The rows of every memory layer [L], in the order of the addressing. They stay the caller's and outlive this object.</param>
    /// <param name="threads">Most threads that one read uses, at least 1.</param>
    /// <exception cref="ArgumentException">There are not as many stores as the addressing has layers.</exception>
    public RowPrefetcher(NgramAddresser addresser, IReadOnlyList<IRowStore> stores, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(addresser);
        ArgumentNullException.ThrowIfNull(stores);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (stores.Count != addresser.LayerCount)
            throw new ArgumentException($"{stores.Count} stores for {addresser.LayerCount} memory layers.", nameof(stores));
        (_addresser, _stores, _threads) = (addresser, [.. stores], threads);
        _reader = new Thread(ReadAll) { IsBackground = true, Name = nameof(RowPrefetcher) };
        _reader.Start();
    }

    /// <summary>Starts reading the rows of one sequence, or of several with a document start at the head of each. Ids that do not exist surface at <see cref="RowPrefetch.Wait"/>.</summary>
    /// <param name="canonicalIds">Ids [T] of 0 to V′ − 1; −1 marks a dead position. Copied.</param>
    /// <param name="documentStarts">Whether a document starts at each position [T]; empty if only the first does. Copied.</param>
    /// <param name="cancellation">Gives up what has not been read; <see cref="RowPrefetch.Wait"/> then throws for the layers that are missing.</param>
    /// <returns>The read. Dispose it when its rows are used, or no longer needed.</returns>
    /// <exception cref="ArgumentException"><paramref name="documentStarts"/> has another length.</exception>
    public RowPrefetch Start(ReadOnlySpan<int> canonicalIds, ReadOnlySpan<bool> documentStarts, CancellationToken cancellation = default)
    {
        if (!documentStarts.IsEmpty && documentStarts.Length != canonicalIds.Length)
            throw new ArgumentException($"{documentStarts.Length} document starts for {canonicalIds.Length} ids.", nameof(documentStarts));
        var buffers = Rent();
        buffers.SetIds(canonicalIds, documentStarts);
        return Enqueue(buffers, cancellation);
    }

    /// <summary>Starts reading rows whose addresses are known, for example those that <see cref="NgramAddresser.Append"/> gave for the next token of a sequence.</summary>
    /// <param name="rows">Row numbers [L, T, H]; −1 reads nothing. Copied. Rows that do not exist surface at <see cref="RowPrefetch.Wait"/>.</param>
    /// <param name="cancellation">Gives up what has not been read; <see cref="RowPrefetch.Wait"/> then throws for the layers that are missing.</param>
    /// <returns>The read. Dispose it when its rows are used, or no longer needed.</returns>
    /// <exception cref="ArgumentException">The rows are no whole number of tokens in all layers.</exception>
    public RowPrefetch Start(ReadOnlySpan<long> rows, CancellationToken cancellation = default)
    {
        var perToken = _stores.Length * _addresser.Columns;
        if (rows.Length % perToken != 0)
            throw new ArgumentException($"{rows.Length} rows; a token reads {perToken} in {_stores.Length} layers.", nameof(rows));
        var buffers = Rent();
        buffers.SetRows(rows, rows.Length / perToken);
        return Enqueue(buffers, cancellation);
    }

    /// <summary>Cancels what is not yet read and waits for the read that is under way. Rows that were handed out stay readable until their <see cref="RowPrefetch"/> is disposed.</summary>
    public void Dispose()
    {
        lock (_waiting)
        {
            if (_disposed) return;
            _disposed = true;
            _reading?.Cancel();
            while (_waiting.TryDequeue(out var buffers))
            {
                buffers.Cancel();
                buffers.EndReading();
            }
            Monitor.PulseAll(_waiting);
        }
        _reader.Join();
    }

    private PrefetchBuffers Rent()
    {
        lock (_waiting)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _free.TryPop(out var buffers) ? buffers : new PrefetchBuffers(_stores, _addresser.Columns, Return);
        }
    }

    private void Return(PrefetchBuffers buffers)
    {
        lock (_waiting)
            _free.Push(buffers);
    }

    private RowPrefetch Enqueue(PrefetchBuffers buffers, CancellationToken cancellation)
    {
        var read = buffers.Begin(cancellation);
        lock (_waiting)
        {
            if (!_disposed)
            {
                _waiting.Enqueue(buffers);
                Monitor.Pulse(_waiting);
                return read;
            }
        }
        buffers.EndReading();
        read.Dispose();
        throw new ObjectDisposedException(nameof(RowPrefetcher));
    }

    private void ReadAll()
    {
        while (true)
        {
            PrefetchBuffers? buffers;
            lock (_waiting)
            {
                while (!_waiting.TryDequeue(out buffers))
                {
                    if (_disposed) return;
                    Monitor.Wait(_waiting);
                }
                _reading = buffers;
            }
            buffers.Read(_addresser, _threads);
            lock (_waiting)
                _reading = null;
            buffers.EndReading();
        }
    }
}

using Engram.Tables.Formats;

namespace Engram.Tables.Cache;

/// <summary>
/// A bounded row cache in front of a slower store: a mapped file on a device, a network. Rows are kept in their stored form and decoded
/// when they are handed out: of fp8 rows four times as many fit into the same memory as of decoded ones, and decoding costs less than the
/// memory traffic it saves. Results equal the slower store's bit for bit.
/// <para>
/// Of a batch, the rows that are kept are copied; the missing ones, each once, are read from the slower store by one gather, handed out and
/// taken in. Which rows stay is decided by S3-FIFO. In steady state nothing is allocated (one thread).
/// </para>
/// <para>
/// Safe to use from several threads. Threads that find their rows run at the same time, under a shared lock; taking rows in excludes them
/// for a few hundred rows at a time; nobody holds a lock while the slower store reads. Two threads that miss the same row at the same
/// moment both read it.
/// </para>
/// The rows of the slower store must not change meanwhile. It is disposed with the cache.
/// </summary>
public sealed unsafe class CachedRowStore : IRowStore
{
    // Rows that are searched and copied, or taken in, before others get their turn.
    private const int RowsPerTurn = 4096;
    private const int InsertionsPerTurn = 256;

    // A batch beyond this is served in parts, which bounds the room for missing rows; enough of them for any device's queue.
    private const int MostRowsPerPart = 1 << 16;
    private const int BytesPerPart = 1 << 26;
    private const int PrefetchDistance = 16;

    private readonly IRowStore _slower;
    private readonly S3Fifo _policy;
    private readonly NativeBuffer<byte> _memory;
    private readonly StoredRows _kept;
    private readonly int _rowsPerPart;
    private readonly ReaderWriterLockSlim _lock = new(LockRecursionPolicy.NoRecursion);
    private readonly Stack<LookupBuffers> _buffers = new(); // guarded by itself
    private long _lookups;
    private long _misses;
    private bool _disposed;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="slower">Where the rows are.</param>
    /// <param name="capacity">Rows that are kept at most, 1 to 2^31 − 1; no more than there are.</param>
    /// <param name="name">What it is called in metrics.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public CachedRowStore(IRowStore slower, long capacity, string name = "cache")
    {
        ArgumentNullException.ThrowIfNull(slower);
        ArgumentNullException.ThrowIfNull(name);
        Name = name;
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        capacity = Math.Min(capacity, slower.Rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, Array.MaxLength);
        _slower = slower;
        _policy = new S3Fifo((int)capacity);
        _memory = new NativeBuffer<byte>(capacity * Format.RowBytes(Width));
        _kept = new StoredRows(_memory.Pointer, Width, Format);
        _rowsPerPart = Math.Clamp(BytesPerPart / Format.RowBytes(Width), 1, MostRowsPerPart);
    }

    /// <summary>Rows that fit into an amount of memory, with what the cache needs to find them: about 45 bytes a row.</summary>
    /// <param name="bytes">Memory for the cache.</param>
    /// <param name="format">How the rows are stored.</param>
    /// <param name="width">Width w of a row in values.</param>
    /// <returns>Rows, a <c>capacity</c> for the constructor; 0 if not even one fits.</returns>
    public static long RowsWithin(long bytes, RowFormat format, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentNullException.ThrowIfNull(format);
        return (long)(bytes / (format.RowBytes(width) + S3Fifo.BytesPerRow));
    }

    /// <summary>Bytes of memory that a cache takes: the rows, and what it needs to find them.</summary>
    /// <param name="capacity">Rows that are kept at most.</param>
    /// <param name="format">How the rows are stored.</param>
    /// <param name="width">Width w of a row in values.</param>
    public static long BytesFor(long capacity, RowFormat format, int width)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        ArgumentNullException.ThrowIfNull(format);
        return (long)Math.Ceiling(capacity * (format.RowBytes(width) + S3Fifo.BytesPerRow));
    }

    /// <inheritdoc/>
    public long Rows => _slower.Rows;

    /// <inheritdoc/>
    public int Width => _slower.Width;

    /// <inheritdoc/>
    public RowFormat Format => _slower.Format;

    /// <summary>No: rows that are not kept come from the slower store.</summary>
    public bool InMemory => false;

    /// <summary>What it is called in metrics.</summary>
    public string Name { get; }

    /// <summary>Rows that are kept at most.</summary>
    public int Capacity => _policy.Capacity;

    /// <summary>What the cache has done so far.</summary>
    public CacheCounts Counts => new(Volatile.Read(ref _lookups), Volatile.Read(ref _misses), _policy.Evictions);

    /// <inheritdoc/>
    public void Gather(ReadOnlySpan<long> rows, Span<float> destination, int threads = 1)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (destination.Length != (long)rows.Length * Width)
            throw new ArgumentException(
                $"{rows.Length} rows of width {Width} need {(long)rows.Length * Width} values; there is room for {destination.Length}.",
                nameof(destination)
            );
        if (rows.IndexOfAnyExceptInRange(-1, Rows - 1) is var wrong and >= 0)
            throw NoSuchRow(rows, wrong);
        fixed (float* target = destination)
            LookUp(rows, new Destination(target, Width, threads));
    }

    /// <inheritdoc/>
    public void GatherStored(ReadOnlySpan<long> rows, Span<byte> values, Span<byte> scales)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (values.Length != (long)rows.Length * _kept.ValueBytes || scales.Length != (long)rows.Length * _kept.ScaleBytes)
            throw new ArgumentException(
                $"{rows.Length} rows of {Format} of width {Width} need {(long)rows.Length * _kept.ValueBytes} bytes of values and "
                    + $"{(long)rows.Length * _kept.ScaleBytes} of scales; there is room for {values.Length} and {scales.Length}."
            );
        if (rows.IndexOfAnyExceptInRange(0, Rows - 1) is var wrong and >= 0)
            throw NoSuchRow(rows, wrong);
        fixed (
            byte* valueTarget = values,
                scaleTarget = scales
        )
            LookUp(rows, new Destination(valueTarget, scaleTarget));
    }

    /// <inheritdoc/>
    public void Prefetch(ReadOnlySpan<long> rows)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var buffers = Rent();
        for (var done = 0; done < rows.Length; done += RowsPerTurn)
        {
            var turn = rows.Slice(done, Math.Min(RowsPerTurn, rows.Length - done));
            buffers.Begin(turn.Length);
            _lock.EnterReadLock();
            try
            {
                for (var i = 0; i < turn.Length; i++)
                    if (turn[i] >= 0 && !_policy.Contains(turn[i]))
                        buffers.Miss(turn[i], i);
            }
            finally
            {
                _lock.ExitReadLock();
            }
            if (buffers.MissedCount > 0)
                _slower.Prefetch(buffers.Missed);
        }
        Return(buffers);
    }

    /// <summary>Frees the cache and disposes the slower store.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _policy.Dispose();
        _memory.Dispose();
        _lock.Dispose();
        _slower.Dispose();
    }

    private void LookUp(ReadOnlySpan<long> rows, in Destination destination)
    {
        var begun = TableMetrics.Begin();
        var buffers = Rent();
        for (var done = 0; done < rows.Length; done += _rowsPerPart)
        {
            var part = rows.Slice(done, Math.Min(_rowsPerPart, rows.Length - done));
            var lookups = CopyKept(part, done, destination, buffers);
            var (misses, evictions) = buffers.MissedCount > 0 ? ReadMissed(done, destination, buffers) : (0, 0);
            // Counted once answered: what an error left unanswered was no hit.
            Interlocked.Add(ref _lookups, lookups);
            Interlocked.Add(ref _misses, misses);
            TableMetrics.Cached(Name, lookups, misses, (long)misses * Format.RowBytes(Width), evictions);
        }
        TableMetrics.LookedUp(Name, rows, begun);
        // Lost, not returned, if the slower store throws: a new one costs little, and errors are rare.
        Return(buffers);
    }

    // Rows asked for.
    private int CopyKept(ReadOnlySpan<long> rows, int first, in Destination destination, LookupBuffers buffers)
    {
        buffers.Begin(rows.Length);
        var dead = 0;
        for (var turn = 0; turn < rows.Length; turn += RowsPerTurn)
        {
            var end = Math.Min(turn + RowsPerTurn, rows.Length);
            _lock.EnterReadLock();
            try
            {
                for (var i = turn; i < end; i++)
                {
                    if (i + PrefetchDistance < end)
                        _policy.Prefetch(rows[i + PrefetchDistance]);
                    var slot = rows[i] < 0 ? -1 : _policy.Hit(rows[i]);
                    buffers.Slots[i] = slot;
                    if (rows[i] < 0)
                        dead++;
                    else if (slot < 0)
                        buffers.Miss(rows[i], i);
                }
                fixed (long* slots = &buffers.Slots[turn])
                    destination.Copy(_kept, slots, end - turn, first + turn);
            }
            finally
            {
                _lock.ExitReadLock();
            }
        }
        return rows.Length - dead;
    }

    // Rows read from the slower store, and rows that had to leave.
    private (int Misses, long Evictions) ReadMissed(int first, in Destination destination, LookupBuffers buffers)
    {
        buffers.Unique.Build(buffers.Missed);
        var distinct = buffers.Unique.Rows;
        var inverse = buffers.Unique.Inverse;
        var at = buffers.MissedAt;
        var (values, scales) = buffers.Staging(distinct.Length, _kept.ValueBytes, _kept.ScaleBytes);
        _slower.GatherStored(
            distinct,
            values.AsSpan(0, distinct.Length * _kept.ValueBytes),
            scales.AsSpan(0, distinct.Length * _kept.ScaleBytes)
        );
        var evictions = 0L;
        fixed (
            byte* valueStart = values,
                scaleStart = scales
        )
        {
            var read = new StoredRows(valueStart, scaleStart, Width, Format);
            for (var i = 0; i < at.Length; i++)
            {
                var staged = (long)inverse[i];
                destination.Copy(read, &staged, 1, first + at[i]);
            }
            for (var turn = 0; turn < at.Length; turn += InsertionsPerTurn)
            {
                _lock.EnterWriteLock();
                try
                {
                    var before = _policy.Evictions;
                    for (var i = turn; i < Math.Min(turn + InsertionsPerTurn, at.Length); i++)
                    {
                        // Kept by now: repeated in this batch, or another thread was faster. Then it is one more reading of it.
                        if (_policy.Hit(buffers.Missed[i]) >= 0)
                            continue;
                        var slot = _policy.Insert(buffers.Missed[i]);
                        var staged = (long)inverse[i];
                        read.Copy(&staged, 1, _kept.ValuesOf(slot), _kept.ScalesOf(slot));
                    }
                    evictions += _policy.Evictions - before;
                }
                finally
                {
                    _lock.ExitWriteLock();
                }
            }
        }
        return (distinct.Length, evictions);
    }

    private LookupBuffers Rent()
    {
        lock (_buffers)
            return _buffers.TryPop(out var buffers) ? buffers : new LookupBuffers();
    }

    private void Return(LookupBuffers buffers)
    {
        lock (_buffers)
            _buffers.Push(buffers);
    }

    private ArgumentOutOfRangeException NoSuchRow(ReadOnlySpan<long> rows, int position) =>
        new(
            nameof(rows),
            rows[position],
            $"Row {rows[position]} at position {position}: the table has the rows 0 to {Rows - 1}; -1 marks a position that reads none."
        );

    // Rows are handed out decoded or as they are stored; everything else is the same.
    private readonly struct Destination
    {
        private readonly float* _decoded;
        private readonly byte* _values;
        private readonly byte* _scales;
        private readonly int _width;
        private readonly int _threads;

        public Destination(float* decoded, int width, int threads)
        {
            _decoded = decoded;
            _width = width;
            _threads = threads;
        }

        public Destination(byte* values, byte* scales)
        {
            _values = values;
            _scales = scales;
        }

        // Rows −1 become zeros in decoded form and are left alone in stored form, where only missing rows have it for a while.
        public void Copy(in StoredRows source, long* rows, int count, long position)
        {
            if (_width > 0)
            {
                source.Gather(rows, count, _decoded + position * _width, _threads);
                return;
            }
            for (var i = 0; i < count; i++)
                if (rows[i] >= 0)
                    source.Copy(rows + i, 1, _values + (position + i) * source.ValueBytes, _scales + (position + i) * source.ScaleBytes);
        }
    }
}

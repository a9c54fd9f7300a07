using System.Numerics;
using System.Runtime.ExceptionServices;
using Engram.Addressing;

namespace Engram.Tables;

/// <summary>
/// Ids, rows and values of one read, and how far it is. Two sides hold it: the reading thread from <see cref="Begin"/> to <see cref="EndReading"/>, the caller from <see cref="Begin"/> to
/// <see cref="EndUse"/>; when both have let go it is given back and serves the next read. State is guarded by the object itself.
/// </summary>
internal sealed class PrefetchBuffers
{
    private readonly IRowStore[] _stores;
    private readonly int _columns;
    private readonly Action<PrefetchBuffers> _giveBack;
    private readonly float[][] _values;   // of each layer, [T, H·w] and room for more
    private int[] _ids = [];
    private bool[] _starts = [];
    private long[] _rows = [];            // [L, T, H]
    private int _tokens;
    private bool _addressed;
    private bool _hasStarts;

    private int _use;
    private bool _inUse;
    private bool _ending;
    private bool _queued;
    private volatile bool _cancelled;
    private volatile int _ready;          // layers read
    private ExceptionDispatchInfo? _failure;
    private CancellationToken _cancellation;
    private CancellationTokenRegistration _registration;

    public PrefetchBuffers(IRowStore[] stores, int columns, Action<PrefetchBuffers> giveBack)
    {
        (_stores, _columns, _giveBack) = (stores, columns, giveBack);
        _values = new float[stores.Length][];
        Array.Fill(_values, []);
    }

    public void SetIds(ReadOnlySpan<int> ids, ReadOnlySpan<bool> starts)
    {
        Reserve(ids.Length);
        ids.CopyTo(_ids);
        starts.CopyTo(_starts);
        (_addressed, _hasStarts) = (false, !starts.IsEmpty);
    }

    public void SetRows(ReadOnlySpan<long> rows, int tokens)
    {
        Reserve(tokens);
        rows.CopyTo(_rows);
        _addressed = true;
    }

    public RowPrefetch Begin(CancellationToken cancellation)
    {
        lock (this)
        {
            (_inUse, _ending, _queued, _cancelled, _ready, _failure, _cancellation) = (true, false, true, false, 0, null, cancellation);
            _use++;
        }
        _registration = cancellation.UnsafeRegister(static state => ((PrefetchBuffers)state!).Cancel(), this);
        return new RowPrefetch(this, _use);
    }

    /// <summary>The reading thread's work. Whatever goes wrong is kept for the caller.</summary>
    public void Read(NgramAddresser addresser, int threads)
    {
        try
        {
            var perLayer = _tokens * _columns;
            if (_cancelled) return;
            if (!_addressed)
                addresser.AddressAllLayers(_ids.AsSpan(0, _tokens), _hasStarts ? _starts.AsSpan(0, _tokens) : [], _rows.AsSpan(0, _stores.Length * perLayer));
            // A device then has the requests of all layers at once, while the first layer is waited for.
            for (var layer = 1; layer < _stores.Length && !_cancelled; layer++)
                _stores[layer].Prefetch(_rows.AsSpan(layer * perLayer, perLayer));
            for (var layer = 0; layer < _stores.Length && !_cancelled; layer++)
            {
                _stores[layer].Gather(_rows.AsSpan(layer * perLayer, perLayer), _values[layer].AsSpan(0, perLayer * _stores[layer].Width), threads);
                lock (this)
                {
                    _ready = layer + 1;
                    Monitor.PulseAll(this);
                }
            }
        }
        catch (Exception e)
        {
            lock (this)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
                Monitor.PulseAll(this);
            }
        }
    }

    public bool IsReady(int layer, int use)
    {
        CheckLayer(layer);
        lock (this)
        {
            CheckUse(use);
            return layer < _ready;
        }
    }

    public ReadOnlySpan<float> Wait(int layer, int use)
    {
        CheckLayer(layer);
        // Rows that are nearly there are not worth putting the thread to sleep.
        for (var spin = new SpinWait(); layer >= _ready && !_cancelled && !spin.NextSpinWillYield;)
            spin.SpinOnce();
        lock (this)
        {
            for (CheckUse(use); layer >= _ready; CheckUse(use))
            {
                _failure?.Throw();
                if (_cancelled)
                    throw new OperationCanceledException("The read was cancelled before the rows were there.", _cancellation);
                Monitor.Wait(this);
            }
            return _values[layer].AsSpan(0, _tokens * _columns * _stores[layer].Width);
        }
    }

    public void Cancel()
    {
        lock (this)
        {
            _cancelled = true;
            Monitor.PulseAll(this);
        }
    }

    /// <summary>The reading thread lets go.</summary>
    public void EndReading()
    {
        lock (this)
        {
            _queued = false;
            if (_inUse) return;
        }
        _giveBack(this);
    }

    /// <summary>The caller lets go; once.</summary>
    public void EndUse(int use)
    {
        lock (this)
        {
            if (use != _use || !_inUse || _ending) return;
            _ending = true;
        }
        // Waits for a cancellation that is just arriving, so that it cannot meet the next read; not under the lock, which that needs.
        _registration.Dispose();
        lock (this)
        {
            (_inUse, _cancelled) = (false, true);
            Monitor.PulseAll(this);
            if (_queued) return;
        }
        _giveBack(this);
    }

    private void CheckLayer(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, _stores.Length);
    }

    private void CheckUse(int use) => ObjectDisposedException.ThrowIf(use != _use || !_inUse, typeof(RowPrefetch));

    private void Reserve(int tokens)
    {
        _tokens = tokens;
        if (_ids.Length >= tokens) return;
        var room = (int)BitOperations.RoundUpToPowerOf2((uint)tokens);
        (_ids, _starts, _rows) = (new int[room], new bool[room], new long[checked(_stores.Length * room * _columns)]);
        for (var layer = 0; layer < _stores.Length; layer++)
            _values[layer] = new float[checked(room * _columns * _stores[layer].Width)];
    }
}

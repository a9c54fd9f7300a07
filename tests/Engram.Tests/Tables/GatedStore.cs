using Engram.Tables;
using Engram.Tables.Formats;

namespace Engram.Tests.Tables;

/// <summary>Models a slow device: a store whose gathers do not return before the test lets them, or fail when it says so.</summary>
internal sealed class GatedStore(EngramTable table) : IRowStore
{
    private int _gathers;

    public long Rows => table.Rows;

    public int Width => table.Width;

    public RowFormat Format => table.Format;

    public bool InMemory => false;

    /// <summary>Open: gathers pass. Closed by the test before it starts one that must wait.</summary>
    public ManualResetEventSlim Gate { get; } = new(true);

    /// <summary>Set when a gather has arrived at the gate.</summary>
    public SemaphoreSlim Arrived { get; } = new(0);

    /// <summary>Thrown by every gather, once through the gate.</summary>
    public Exception? Failure { get; set; }

    public int Gathers => Volatile.Read(ref _gathers);

    /// <summary>Whether <see cref="Prefetched"/> is filled.</summary>
    public bool KeepPrefetched { get; set; }

    public List<long[]> Prefetched { get; } = [];

    public void Gather(ReadOnlySpan<long> rows, Span<float> destination, int threads = 1)
    {
        Pass();
        table.Gather(rows, destination, threads);
    }

    public void GatherStored(ReadOnlySpan<long> rows, Span<byte> values, Span<byte> scales)
    {
        Pass();
        table.GatherStored(rows, values, scales);
    }

    public void Prefetch(ReadOnlySpan<long> rows)
    {
        if (!KeepPrefetched)
            return;
        lock (Prefetched)
            Prefetched.Add(rows.ToArray());
    }

    public void Dispose() => table.Dispose();

    private void Pass()
    {
        Interlocked.Increment(ref _gathers);
        Arrived.Release();
        Gate.Wait();
        if (Failure is { } failure)
            throw failure;
    }
}

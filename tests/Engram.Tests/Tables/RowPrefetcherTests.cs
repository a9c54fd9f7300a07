using CsCheck;
using Engram.Addressing;
using Engram.Tables;

namespace Engram.Tests.Tables;

public sealed class RowPrefetcherTests : IDisposable
{
    private const int Width = 8;
    private static readonly AddressingConstants Constants = AddressingConstants.Derive(new AddressingSpec
    {
        CompressedVocabularySize = 50, Layers = [1, 3], SlotsPerOrder = [60, 80], HeadsPerOrder = 2, PadId = 0,
    });

    private readonly NgramAddresser _addresser = new(Constants);
    private readonly EngramTable[] _tables = new EngramTable[2];
    private readonly GatedStore[] _stores = new GatedStore[2];
    private readonly RowPrefetcher _prefetcher;

    public RowPrefetcherTests()
    {
        for (var layer = 0; layer < 2; layer++)
        {
            _tables[layer] = new EngramTable(Constants.Layers[layer].TotalRows, Width);
            _tables[layer].FillNormal((ulong)layer, 1);
            _stores[layer] = new GatedStore(_tables[layer]);
        }
        _prefetcher = new RowPrefetcher(_addresser, _stores);
    }

    public void Dispose()
    {
        foreach (var store in _stores)
            store.Gate.Set();
        _prefetcher.Dispose();
        foreach (var store in _stores)
            store.Dispose();
    }

    [Fact]
    public void Rows_are_those_of_addressing_and_gathering_one_after_the_other()
    {
        Gen.Select(Gen.Int[-1, 49].Array[0, 60], Gen.Bool.Array[60], Gen.Bool).Sample((ids, flags, withStarts) =>
        {
            var starts = withStarts ? flags[..ids.Length] : [];
            using var read = _prefetcher.Start(ids, starts, Token);
            using var same = _prefetcher.Start(Addresses(ids, starts), Token);
            for (var layer = 0; layer < 2; layer++)
            {
                var expected = Expected(layer, ids, starts);
                Assert.Equal(expected, read.Wait(layer).ToArray());
                Assert.Equal(expected, same.Wait(layer).ToArray());
            }
        });
    }

    [Fact]
    public void A_read_begins_while_the_caller_goes_on_and_a_layer_is_handed_out_before_the_next_is_read()
    {
        _stores[0].Gate.Reset();
        _stores[1].Gate.Reset();
        using var read = _prefetcher.Start([1, 2, 3], [], Token);
        _stores[0].Arrived.Wait(Token);   // the device is at work, and Start has returned
        Assert.False(read.IsReady(0));
        _stores[0].Gate.Set();
        Assert.Equal(Expected(0, [1, 2, 3]), read.Wait(0).ToArray());
        _stores[1].Arrived.Wait(Token);
        Assert.True(read.IsReady(0));
        Assert.False(read.IsReady(1));
        _stores[1].Gate.Set();
        Assert.Equal(Expected(1, [1, 2, 3]), read.Wait(1).ToArray());
    }

    [Fact]
    public void Later_layers_are_announced_before_the_first_is_read()
    {
        _stores[1].KeepPrefetched = true;
        _stores[0].Gate.Reset();
        using var read = _prefetcher.Start([4, 5], [], Token);
        _stores[0].Arrived.Wait(Token);
        var rows = Assert.Single(_stores[1].Prefetched);
        Assert.Equal(Addresses([4, 5], [])[(2 * _addresser.Columns)..], rows);
        _stores[0].Gate.Set();
    }

    [Fact]
    public void Several_reads_in_flight_keep_their_own_rows()
    {
        _stores[0].Gate.Reset();
        var reads = Enumerable.Range(0, 20).Select(i => _prefetcher.Start([i, i + 1], [], Token)).ToArray();
        _stores[0].Gate.Set();
        for (var i = reads.Length - 1; i >= 0; i--)
            Assert.Equal(Expected(1, [i, i + 1]), reads[i].Wait(1).ToArray());
        for (var i = 0; i < reads.Length; i++)
        {
            Assert.Equal(Expected(0, [i, i + 1]), reads[i].Wait(0).ToArray());
            reads[i].Dispose();
        }
    }

    [Fact]
    public void Cancelling_ends_the_wait_although_the_device_hangs_and_the_next_read_is_whole()
    {
        _stores[0].Gate.Reset();
        using var source = new CancellationTokenSource();
        using var read = _prefetcher.Start([1], [], source.Token);
        using var queued = _prefetcher.Start([2], [], source.Token);
        using var other = _prefetcher.Start([3], [], Token);
        _stores[0].Arrived.Wait(Token);
        source.Cancel();
        Assert.Equal(source.Token, Assert.Throws<OperationCanceledException>(() => { _ = read.Wait(0); }).CancellationToken);
        Assert.Throws<OperationCanceledException>(() => { _ = queued.Wait(1); });
        _stores[0].Gate.Set();
        Assert.Equal(Expected(1, [3]), other.Wait(1).ToArray());
        Assert.Equal(2, _stores[0].Gathers);   // what was cancelled in the queue is never read
        Assert.Equal(1, _stores[1].Gathers);
    }

    [Fact]
    public void What_was_read_before_a_cancellation_is_handed_out()
    {
        using var source = new CancellationTokenSource();
        _stores[1].Gate.Reset();
        using var read = _prefetcher.Start([7], [], source.Token);
        _stores[1].Arrived.Wait(Token);
        source.Cancel();
        Assert.Equal(Expected(0, [7]), read.Wait(0).ToArray());
        Assert.Throws<OperationCanceledException>(() => { _ = read.Wait(1); });
    }

    [Fact]
    public void A_token_cancelled_beforehand_reads_nothing()
    {
        using var read = _prefetcher.Start([7], [], new CancellationToken(canceled: true));
        Assert.Throws<OperationCanceledException>(() => { _ = read.Wait(0); });
        using (var next = _prefetcher.Start([8], [], Token))
            Assert.Equal(Expected(1, [8]), next.Wait(1).ToArray());
        Assert.Equal(1, _stores[0].Gathers);
    }

    [Fact]
    public void Errors_surface_where_the_rows_are_waited_for()
    {
        _stores[1].Failure = new IOException("The device is gone.");
        using (var read = _prefetcher.Start([1], [], Token))
        {
            Assert.Equal(Expected(0, [1]), read.Wait(0).ToArray());
            Assert.Equal("The device is gone.", Assert.Throws<IOException>(() => { _ = read.Wait(1); }).Message);
            Assert.Throws<IOException>(() => { _ = read.Wait(1); });
        }
        _stores[1].Failure = null;
        using (var read = _prefetcher.Start([1, 50], [], Token))
            Assert.Contains("Canonical id 50", Assert.Throws<ArgumentOutOfRangeException>(() => { _ = read.Wait(0); }).Message);
        using (var read = _prefetcher.Start([1, 49], [], Token))
            Assert.Equal(Expected(1, [1, 49]), read.Wait(1).ToArray());
    }

    [Fact]
    public void Disposing_a_read_does_not_wait_and_its_buffers_are_not_touched_before_the_device_lets_go()
    {
        _stores[0].Gate.Reset();
        var read = _prefetcher.Start([1], [], Token);
        _stores[0].Arrived.Wait(Token);
        read.Dispose();
        read.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { _ = read.Wait(0); });
        using var next = _prefetcher.Start([2], [], Token);
        Assert.Throws<ObjectDisposedException>(() => { _ = read.IsReady(0); });
        _stores[0].Gate.Set();
        Assert.Equal(Expected(0, [2]), next.Wait(0).ToArray());
        Assert.Equal(Expected(1, [2]), next.Wait(1).ToArray());
        Assert.Equal(1, _stores[1].Gathers);
    }

    [Fact]
    public void A_waiting_thread_is_released_when_the_read_is_disposed()
    {
        _stores[0].Gate.Reset();
        var read = _prefetcher.Start([1], [], Token);
        using var begun = new ManualResetEventSlim();
        Exception? thrown = null;
        var waiter = new Thread(() =>
        {
            begun.Set();
            thrown = Record.Exception(() => { _ = read.Wait(0); });
        });
        waiter.Start();
        begun.Wait(Token);
        read.Dispose();
        waiter.Join();
        Assert.True(thrown is ObjectDisposedException or OperationCanceledException, $"{thrown}");
    }

    [Fact]
    public void Disposing_the_prefetcher_waits_for_the_read_under_way_and_cancels_the_rest()
    {
        _stores[0].Gate.Reset();
        var prefetcher = new RowPrefetcher(_addresser, _stores);
        using var done = prefetcher.Start([9], [], Token);
        _stores[0].Arrived.Wait(Token);
        using var queued = prefetcher.Start([1], [], Token);
        var disposal = new Thread(prefetcher.Dispose);
        disposal.Start();
        Assert.Throws<OperationCanceledException>(() => { _ = queued.Wait(0); });
        Assert.True(disposal.IsAlive);
        _stores[0].Gate.Set();
        disposal.Join();
        Assert.Equal(Expected(0, [9]), done.Wait(0).ToArray());
        Assert.Throws<ObjectDisposedException>(() => prefetcher.Start([1], [], Token));
        prefetcher.Dispose();
    }

    [Fact]
    public void Wrong_arguments_are_refused_at_once()
    {
        Assert.Throws<ArgumentException>(() => new RowPrefetcher(_addresser, [_stores[0]]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowPrefetcher(_addresser, _stores, threads: 0));
        Assert.Throws<ArgumentException>(() => _prefetcher.Start([1, 2], [true], Token));
        Assert.Throws<ArgumentException>(() => _prefetcher.Start(new long[_addresser.Columns * 2 + 1], Token));
        using var read = _prefetcher.Start([1], [], Token);
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = read.Wait(2); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = read.Wait(-1); });
        Assert.Throws<InvalidOperationException>(() => { _ = default(RowPrefetch).Wait(0); });
        default(RowPrefetch).Dispose();
    }

    /// <summary>Many threads, each with reads of its own, some of them given up at any moment.</summary>
    [Fact]
    public async Task Threads_do_not_disturb_each_other()
    {
        var threads = Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            var random = new Random(thread);
            for (var i = 0; i < 500; i++)
            {
                int[] ids = [.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => random.Next(-1, 50))];
                using var source = new CancellationTokenSource();
                var read = _prefetcher.Start(ids, [], source.Token);
                var choice = random.Next(4);
                if (choice == 0)
                    source.Cancel();
                else if (choice == 1)
                    Assert.Equal(Expected(1, ids), read.Wait(1).ToArray());
                else if (choice == 2)
                    Assert.Equal(Expected(0, ids), read.Wait(0).ToArray());
                read.Dispose();
            }
        })).ToArray();
        await Task.WhenAll(threads);
    }

    [Fact]
    public void Reads_no_longer_than_those_before_allocate_nothing()
    {
        int[] ids = [.. Enumerable.Range(0, 40)];
        var rows = Addresses([5], []);
        // As many buffers, and as long, as ever will be in flight: those of the read before may still be with the reading thread.
        foreach (var read in Enumerable.Range(0, 8).Select(_ => _prefetcher.Start(ids, [], Token)).ToList())
        {
            _ = read.Wait(1);
            read.Dispose();
        }
        Step(100);
        var (caller, reader) = (GC.GetAllocatedBytesForCurrentThread(), _stores[0].BytesAllocatedByReader);
        Step(200);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - caller);
        Assert.Equal(0, _stores[0].BytesAllocatedByReader - reader);

        void Step(int times)
        {
            for (var i = 0; i < times; i++)
            {
                using var read = _prefetcher.Start(ids, [], Token);
                using var next = _prefetcher.Start(rows, Token);
                _ = read.Wait(1);
                _ = next.Wait(0);
            }
        }
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private long[] Addresses(int[] ids, bool[] starts)
    {
        var rows = new long[2 * ids.Length * _addresser.Columns];
        _addresser.AddressAllLayers(ids, starts, rows);
        return rows;
    }

    private float[] Expected(int layer, int[] ids, bool[]? starts = null)
    {
        var perLayer = ids.Length * _addresser.Columns;
        var values = new float[perLayer * Width];
        _tables[layer].Gather(Addresses(ids, starts ?? []).AsSpan(layer * perLayer, perLayer), values);
        return values;
    }
}

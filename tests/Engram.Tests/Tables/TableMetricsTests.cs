using System.Diagnostics.Metrics;
using Engram.Tables;
using Engram.Tables.Cache;
using Engram.Tables.Formats;

namespace Engram.Tests.Tables;

public class TableMetricsTests
{
    [Fact]
    public void A_cache_reports_what_it_did_under_its_name()
    {
        using var heard = new Heard("cache-of-metrics-test");
        using var cache = new CachedRowStore(new EngramTable(100, 8, RowFormat.Int8()) { Name = "unheard" }, 3, heard.Name);
        cache.Gather([1, 2, 1, -1], new float[32]);
        cache.Gather([1, 2], new float[16]);
        cache.Gather([3, 4, 5], new float[24]);
        Assert.Equal(8, heard.Sums["engram.table.lookups"]);
        Assert.Equal(5, heard.Sums["engram.table.cache.misses"]);
        Assert.Equal(3, heard.Sums["engram.table.cache.hits"]);
        Assert.Equal(5 * 10, heard.Sums["engram.table.cache.io"]);
        Assert.Equal(cache.Counts.Evictions, heard.Sums["engram.table.cache.evictions"]);
        Assert.Equal(2, cache.Counts.Evictions);
        Assert.Equal(3, heard.Durations.Count);
        Assert.All(heard.Durations, seconds => Assert.InRange(seconds, 0, 60));
    }

    [Fact]
    public void A_table_reports_its_lookups_under_its_name()
    {
        using var heard = new Heard("table-of-metrics-test");
        using var table = new EngramTable(10, 4) { Name = heard.Name };
        table.Gather([1, -1, 9], new float[12]);
        table.Gather([2], new float[4]);
        Assert.Equal(3, heard.Sums["engram.table.lookups"]);
        Assert.Equal(3 * 16, heard.Sums["engram.table.io"]);
        table.GatherStored([3, 3], new byte[32], []);
        Assert.Equal(5 * 16, heard.Sums["engram.table.io"]);
        Assert.Equal(2, heard.Durations.Count);
        Assert.False(heard.Sums.ContainsKey("engram.table.cache.misses"));
    }

    [Fact]
    public void Instruments_are_named_with_units_by_convention()
    {
        using var heard = new Heard("names");
        new EngramTable(1, 1).Gather([0], new float[1]);
        Assert.Equal(
            [
                "engram.table.cache.evictions {row}",
                "engram.table.cache.hits {row}",
                "engram.table.cache.io By",
                "engram.table.cache.misses {row}",
                "engram.table.io By",
                "engram.table.lookup.duration s",
                "engram.table.lookups {row}",
                "process.paging.faults {fault}",
            ],
            heard.Instruments.Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Page_faults_of_the_process_are_told_by_type()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux tells.");
        using var heard = new Heard("faults");
        new EngramTable(1, 1).Gather([0], new float[1]);
        heard.Observe();
        Assert.InRange(heard.Faults["minor"], 100, long.MaxValue); // a .NET process touches thousands of pages before it runs a test
        Assert.InRange(heard.Faults["major"], 0, heard.Faults["minor"]);
    }

    [Fact]
    public void Reporting_allocates_nothing()
    {
        using var heard = new Heard("allocation-of-metrics-test") { Discards = true };
        using var cache = new CachedRowStore(new EngramTable(100, 8), 3, heard.Name);
        var values = new float[16];
        Pass();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Pass();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Pass()
        {
            for (var i = 0; i < 100; i++)
                cache.Gather([i % 7, i % 5], values);
        }
    }

    private sealed class Heard : IDisposable
    {
        private readonly MeterListener _listener = new();

        public Heard(string name)
        {
            Name = name;
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name != "Engram.Tables")
                    return;
                Instruments.Add($"{instrument.Name} {instrument.Unit}");
                listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>(
                (instrument, value, tags, _) =>
                {
                    if (Discards || tags.Length != 1)
                        return;
                    if (tags[0].Key == "system.paging.fault.type")
                        Faults[(string)tags[0].Value!] = value;
                    if (IsMine(tags))
                        Sums[instrument.Name] = Sums.GetValueOrDefault(instrument.Name) + value;
                }
            );
            _listener.SetMeasurementEventCallback<double>(
                (_, value, tags, _) =>
                {
                    if (!Discards && IsMine(tags))
                        Durations.Add(value);
                }
            );
            _listener.Start();
        }

        public string Name { get; }

        public bool Discards { get; init; }

        public HashSet<string> Instruments { get; } = [];

        public Dictionary<string, long> Sums { get; } = [];

        public Dictionary<string, long> Faults { get; } = [];

        public List<double> Durations { get; } = [];

        public void Observe() => _listener.RecordObservableInstruments();

        public void Dispose() => _listener.Dispose();

        // Other tests gather at the same time; their stores have other names.
        private bool IsMine(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            tags is [{ Key: "engram.table.name", Value: string name }] && name == Name;
    }
}

using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace Engram.Tables;

/// <summary>What tables and caches report through <see cref="Meter"/>, by OpenTelemetry's conventions; docs/tables.md lists it. Costs one test of a flag per batch while nobody listens.</summary>
internal static class TableMetrics
{
    public const string MeterName = "Engram.Tables";
    public const string NameTag = "engram.table.name";
    public const string FaultTypeTag = "system.paging.fault.type";

    private const string ProcessFile = "/proc/self/stat";
    private static readonly Meter Meter = new(MeterName);

    private static readonly Counter<long> Lookups = Meter.CreateCounter<long>("engram.table.lookups", "{row}", "Rows asked for, dead positions excluded.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("engram.table.lookup.duration", "s", "Time of a batch of look-ups.");
    private static readonly Counter<long> Hits = Meter.CreateCounter<long>("engram.table.cache.hits", "{row}", "Rows asked for that the slower store was spared.");
    private static readonly Counter<long> Misses = Meter.CreateCounter<long>("engram.table.cache.misses", "{row}", "Rows read from the slower store.");
    private static readonly Counter<long> ReadBytes = Meter.CreateCounter<long>("engram.table.cache.io", "By", "Bytes read from the slower store.");
    private static readonly Counter<long> Evictions = Meter.CreateCounter<long>("engram.table.cache.evictions", "{row}", "Rows that had to leave the cache.");

    static TableMetrics() => Meter.CreateObservableCounter("process.paging.faults", PageFaults, "{fault}", "Page faults of the process; major ones wait for a device.");

    /// <summary>The moment a batch begins; 0 if nobody wants to know.</summary>
    public static long Begin() => Duration.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <summary>A batch has been answered.</summary>
    public static void LookedUp(string name, ReadOnlySpan<long> rows, long begun)
    {
        var tag = new KeyValuePair<string, object?>(NameTag, name);
        if (Lookups.Enabled)
            Lookups.Add(rows.Length - rows.Count(-1), tag);
        if (begun != 0 && Duration.Enabled)
            Duration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, tag);
    }

    /// <summary>A cache has answered rows.</summary>
    public static void Cached(string name, long lookups, long misses, long bytes, long evictions)
    {
        var tag = new KeyValuePair<string, object?>(NameTag, name);
        if (Hits.Enabled)
            Hits.Add(lookups - misses, tag);
        if (misses == 0) return;
        if (Misses.Enabled)
            Misses.Add(misses, tag);
        if (ReadBytes.Enabled)
            ReadBytes.Add(bytes, tag);
        if (Evictions.Enabled)
            Evictions.Add(evictions, tag);
    }

    private static Measurement<long>[] PageFaults()
    {
        if (!File.Exists(ProcessFile)) return [];
        // The program's name stands in brackets and may hold anything; minor and major faults are the 8th and 10th field behind it.
        var stat = File.ReadAllText(ProcessFile);
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return [Faults(fields[7], "minor"), Faults(fields[9], "major")];

        static Measurement<long> Faults(string count, string type) =>
            new(long.Parse(count, CultureInfo.InvariantCulture), new KeyValuePair<string, object?>(FaultTypeTag, type));
    }
}

using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace Engram.Tables;

/// <summary>
/// What tables and caches report through <see cref="Meter"/>, by OpenTelemetry's conventions; docs/tables.md lists it. Costs one test of a
/// flag per batch while nobody listens.
/// </summary>
internal static class TableMetrics
{
    public const string MeterName = "Engram.Tables";
    public const string NameTag = "engram.table.name";
    public const string FaultTypeTag = "system.paging.fault.type";

    private const string ProcessFile = "/proc/self/stat";

    // From a decoded token out of memory to a long batch off a device; collectors' own buckets begin at seconds.
    private static readonly double[] DurationBuckets =
    [
        1e-7,
        3e-7,
        1e-6,
        3e-6,
        1e-5,
        3e-5,
        1e-4,
        3e-4,
        1e-3,
        3e-3,
        1e-2,
        3e-2,
        0.1,
        0.3,
        1,
        3,
        10,
    ];

    private static readonly Meter Meter = new(MeterName);

    private static readonly Counter<long> Lookups = Meter.CreateCounter<long>(
        "engram.table.lookups",
        "{row}",
        "Rows asked for, dead positions excluded."
    );
    private static readonly Counter<long> TableBytes = Meter.CreateCounter<long>(
        "engram.table.io",
        "By",
        "Bytes of stored rows that look-ups read from a table."
    );
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "engram.table.lookup.duration",
        "s",
        "Time of a batch of look-ups.",
        [],
        new InstrumentAdvice<double> { HistogramBucketBoundaries = DurationBuckets }
    );
    private static readonly Counter<long> Hits = Meter.CreateCounter<long>(
        "engram.table.cache.hits",
        "{row}",
        "Rows asked for that the slower store was spared."
    );
    private static readonly Counter<long> Misses = Meter.CreateCounter<long>(
        "engram.table.cache.misses",
        "{row}",
        "Rows read from the slower store."
    );
    private static readonly Counter<long> ReadBytes = Meter.CreateCounter<long>(
        "engram.table.cache.io",
        "By",
        "Bytes read from the slower store."
    );
    private static readonly Counter<long> Evictions = Meter.CreateCounter<long>(
        "engram.table.cache.evictions",
        "{row}",
        "Rows that had to leave the cache."
    );

    static TableMetrics() =>
        Meter.CreateObservableCounter(
            "process.paging.faults",
            PageFaults,
            "{fault}",
            "Page faults of the process; major ones wait for a device."
        );

    /// <summary>The moment a batch begins; 0 if nobody wants to know.</summary>
    public static long Begin() => Duration.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <summary>A table has read rows in their stored form.</summary>
    public static void Read(string name, ReadOnlySpan<long> rows, int rowBytes)
    {
        if (TableBytes.Enabled)
            TableBytes.Add((long)(rows.Length - rows.Count(-1)) * rowBytes, new KeyValuePair<string, object?>(NameTag, name));
    }

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
        if (misses == 0)
            return;
        if (Misses.Enabled)
            Misses.Add(misses, tag);
        if (ReadBytes.Enabled)
            ReadBytes.Add(bytes, tag);
        if (Evictions.Enabled)
            Evictions.Add(evictions, tag);
    }

    private static Measurement<long>[] PageFaults()
    {
        if (!File.Exists(ProcessFile))
            return [];
        // The program's name stands in brackets and may hold anything; minor and major faults are the 8th and 10th field behind it.
        var stat = File.ReadAllText(ProcessFile);
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return [Faults(fields[7], "minor"), Faults(fields[9], "major")];

        static Measurement<long> Faults(string count, string type) =>
            new(long.Parse(count, CultureInfo.InvariantCulture), new KeyValuePair<string, object?>(FaultTypeTag, type));
    }
}

using Engram.Studies.Benchmarks;

namespace Engram.Benchmarks;

/// <summary>Prints the measurements of tables: gathers in memory, by size, on a device.</summary>
internal static class TableComparison
{
    public static void Gather(double gibibytes, int threads)
    {
        var measured = GatherBenchmark.Run((long)(gibibytes * (1L << 30)), threads: threads, progress: Console.Error.WriteLine);
        Console.WriteLine(
            $"{threads} threads, tables of {measured.TableBytes:N0} bytes, {measured.HugePageBytes:N0} of them in huge pages, rows of "
                + $"{measured.Width} values"
        );
        Console.WriteLine($"{"", -24} {"million rows/s", 14}");
        Row("float32", measured.RowsPerSecond);
        Row("plain copies (limit)", measured.LimitRowsPerSecond);
        Row("reading alone", measured.ReadOnlyRowsPerSecond);
        Row("index_select", measured.IndexSelectRowsPerSecond);
        Row("index_select, huge pages", measured.IndexSelectHugePagesRowsPerSecond);
        Row("bfloat16", measured.BFloat16RowsPerSecond);
        Row("fp8", measured.Fp8RowsPerSecond);
        Row("int8", measured.Int8RowsPerSecond);
        Row("int4", measured.Int4RowsPerSecond);
        void Row(string name, double speed) =>
            Console.WriteLine($"{name, -24} {speed / 1e6, 14:F1}   float32 is {measured.RowsPerSecond / speed:F2} times this");
    }

    public static void Sizes()
    {
        Console.WriteLine($"{"rows", 12} {"MB", 8} {"huge", 8} {"ns/row", 8} {"ns/token of 16 rows alone", 26}");
        foreach (var size in SizeBenchmark.Run([260_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000]))
            Console.WriteLine(
                $"{size.Rows, 12:N0} {size.Bytes / 1e6, 8:F0} {size.HugePageBytes / (double)size.Bytes, 8:P0} "
                    + $"{size.NanosecondsPerRow, 8:F1} {size.NanosecondsOfOneToken, 26:F0}"
            );
    }

    public static void Disk(string folder, int threads)
    {
        var measured = DiskBenchmark.Run(folder, threads: threads, progress: Console.Error.WriteLine);
        Console.WriteLine(
            $"{measured.Rows:N0} rows, file of {measured.FileBytes / 1e9:F1} GB: opened in {measured.OpenMilliseconds:F1} ms, memory grew "
                + $"by {measured.OpenBytes / 1024:N0} KiB"
        );
        Console.WriteLine($"{measured.RowsRead:N0} rows in {measured.PagesRead:N0} pages");
        Console.WriteLine(
            $"cold     {measured.ColdSeconds, 8:F3} s {measured.ColdSeconds / measured.RowsRead * 1e9, 10:F0} ns/row "
                + $"{measured.ColdPagesPerSecond, 10:N0} pages/s, {measured.ColdPagesPerSecond / measured.DevicePagesPerSecond:P0} of the "
                + "device"
        );
        Console.WriteLine($"warm     {measured.WarmSeconds, 8:F3} s {measured.WarmSeconds / measured.RowsRead * 1e9, 10:F0} ns/row");
        Console.WriteLine(
            $"device   {measured.DevicePagesPerSecond:N0} random pages/s with 128 reads in flight, {measured.OneByOnePagesPerSecond:N0} "
                + "one by one"
        );
    }
}

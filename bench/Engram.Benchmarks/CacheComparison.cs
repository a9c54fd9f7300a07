using Engram.Corpora;
using Engram.Studies.Benchmarks;

namespace Engram.Benchmarks;

/// <summary>Prints hit rate and speed of the row cache against its size.</summary>
internal static class CacheComparison
{
    public static void Run(string folder)
    {
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var machine = Machine.This();
        Console.WriteLine(
            $"{machine.Cores} cores of {machine.Processor}, .NET {machine.Dotnet}, load average "
                + $"{File.ReadAllText("/proc/loadavg").Split(' ')[0]}"
        );
        var measured = CacheBenchmark.Run(corpus, folder);
        Console.WriteLine(
            $"{measured.Lookups:N0} look-ups of {measured.DistinctRows:N0} rows, first look-ups "
                + $"{(double)measured.DistinctRows / measured.Lookups:P1}"
        );
        Console.WriteLine($"{"share", 6} {"rows", 9} {"hit rate", 9} {"predicted", 9} {"Mrows/s", 8} {"Mrows/s, file on device", 24}");
        foreach (var (cache, share) in measured.Caches.Zip(CacheBenchmark.Shares))
            Console.WriteLine(
                $"{share, 6:P1} {cache.Capacity, 9:N0} {cache.HitRate, 9:P2} {cache.PredictedHitRate, 9:P2} "
                    + $"{cache.RowsPerSecond / 1e6, 8:F2} {cache.DeviceRowsPerSecond / 1e6, 24:F3}"
            );
        Console.WriteLine($"no cache {"", 28} {measured.MappedRowsPerSecond / 1e6, 8:F2} {measured.DeviceRowsPerSecond / 1e6, 24:F3}");
        Console.WriteLine(
            $"every row kept {measured.AllHitRowsPerSecond / 1e6:F2}, table in memory {measured.MemoryRowsPerSecond / 1e6:F2}: "
                + $"{measured.MemoryRowsPerSecond / measured.AllHitRowsPerSecond:F2} times as fast"
        );
    }
}

using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Studies.Benchmarks;

namespace Engram.Benchmarks;

/// <summary>Addressing against numpy and against the machine's stores, in turns.</summary>
internal static class AddressingComparison
{
    private const int Rounds = 5;

    /// <param name="python">Interpreter with numpy, the rival's.</param>
    public static void Run(string python)
    {
        var benchmark = new AddressingBenchmark();
        var machine = Machine.This();
        Console.WriteLine(
            $"{machine.Cores} cores of {machine.Processor}, .NET {machine.Dotnet}, load average "
                + $"{File.ReadAllText("/proc/loadavg").Split(' ')[0]}"
        );
        Console.WriteLine("one memory layer, 16 heads of orders {2, 3}, million tokens/s, medians of 5 rounds");
        Console.WriteLine(
            $"{"tokens", 9} {"1 thread", 9} {"2 threads", 9} {"ratio", 6} {"limit", 9} {"of it", 6} {"numpy %", 9} {"numpy //", 9} "
                + $"{"ratio %", 8} {"ratio //", 8}  rows"
        );
        foreach (var tokens in new[] { AddressingBenchmark.BatchTokens, AddressingBenchmark.LongBatchTokens })
            Compare(benchmark, tokens, python);

        var decoded = Enumerable.Range(0, Rounds).Select(_ => benchmark.Decode()).ToList();
        Console.WriteLine(
            $"one decoded token, two memory layers: {AddressingBenchmark.Median(decoded.Select(round => round.NanosecondsPerToken)):F1} "
                + $"ns, {decoded.Sum(round => round.AllocatedBytes)} bytes allocated"
        );
    }

    private static void Compare(AddressingBenchmark benchmark, int tokens, string python)
    {
        var (one, two, limit, rivals) = (new List<double>(), new List<double>(), new List<double>(), new List<NumpyBatch>());
        for (var round = 0; round < Rounds; round++)
        {
            one.Add(benchmark.TokensPerSecond(tokens, threads: 1));
            two.Add(benchmark.TokensPerSecond(tokens, threads: 2));
            limit.Add(benchmark.LimitTokensPerSecond(tokens));
            if (Numpy(python, tokens) is { } rival)
                rivals.Add(rival);
        }
        var speed = AddressingBenchmark.Median(one);
        var line =
            $"{tokens, 9} {speed / 1e6, 9:F1} {AddressingBenchmark.Median(two) / 1e6, 9:F1} {Ratio(two, one), 6:F2} "
            + $"{AddressingBenchmark.Median(limit) / 1e6, 9:F1} {Ratio(one, limit), 6:P0}";
        if (rivals.Count < Rounds)
        {
            Console.WriteLine($"{line}  no rival: {python} with numpy is not there");
            return;
        }
        var same = rivals.All(rival => rival.Checksum == benchmark.Checksum(tokens)) ? "the same" : "DIFFERENT";
        var (remainder, division) = (rivals.ConvertAll(rival => rival.TokensPerSecond), rivals.ConvertAll(rival => rival.FloorDivision));
        Console.WriteLine(
            $"{line} {AddressingBenchmark.Median(remainder) / 1e6, 9:F2} {AddressingBenchmark.Median(division) / 1e6, 9:F2} "
                + $"{Ratio(one, remainder), 8:F1} {Ratio(one, division), 8:F1}  {same}"
        );
    }

    // Within rounds, so that a drift of the machine meets both.
    private static double Ratio(List<double> of, List<double> to) => AddressingBenchmark.Median(of.Zip(to, (a, b) => a / b));

    /// <summary>One run of the rival, or null where there is no such interpreter or it has no numpy.</summary>
    private static NumpyBatch? Numpy(string interpreter, int tokens)
    {
        var start = new ProcessStartInfo(
            interpreter,
            [Path.Combine(AppContext.BaseDirectory, "rivals", "addressing_numpy.py"), $"{tokens}"]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var python = Process.Start(start)!;
            var errors = python.StandardError.ReadToEndAsync();
            var output = python.StandardOutput.ReadToEnd();
            python.WaitForExit();
            if (python.ExitCode == 0)
                return JsonSerializer.Deserialize<NumpyOutput>(output)!.Batches.Single();
            if (errors.Result.Contains("No module named 'numpy'", StringComparison.Ordinal))
                return null;
            throw new InvalidOperationException($"addressing_numpy.py failed: {errors.Result}");
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    private sealed record NumpyOutput([property: JsonPropertyName("batches")] NumpyBatch[] Batches);

    private sealed record NumpyBatch(
        [property: JsonPropertyName("tokens_per_second")] double TokensPerSecond,
        [property: JsonPropertyName("tokens_per_second_floor_division")] double FloorDivision,
        [property: JsonPropertyName("checksum")] ulong Checksum
    );
}

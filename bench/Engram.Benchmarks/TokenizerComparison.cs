using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Studies.Benchmarks;
using Engram.Tokenization;

namespace Engram.Benchmarks;

/// <summary>
/// Encoding against Hugging Face's own library (Rust, by its package for Node), in turns: texts of a folder in pieces of 4,000 characters,
/// and hostile texts whole.
/// </summary>
internal static class TokenizerComparison
{
    private const int PieceLength = 4_000;
    private const int HostileLength = 1_000_000;
    private const int Rounds = 3;
    private const int SlowestRivalMilliseconds = 60_000;

    /// <param name="tokenizerPath">A tokenizer.json.</param>
    /// <param name="texts">Files of UTF-8, of some megabytes each.</param>
    public static void Run(string tokenizerPath, string[] texts)
    {
        var machine = Machine.This();
        Console.WriteLine(
            $"{machine.Cores} cores of {machine.Processor}, .NET {machine.Dotnet}, load average "
                + $"{File.ReadAllText("/proc/loadavg").Split(' ')[0]}"
        );
        Console.WriteLine(
            $"{tokenizerPath}: MB/s of UTF-8, a first pass with a new tokenizer, medians of {Rounds} rounds; hf is Hugging Face's library"
        );
        Console.WriteLine($"{"text", -28} {"MB", 6} {"1 thread", 9} {"hf", 7} {"ratio", 6} {"2 threads", 10} {"hf", 7} {"ratio", 6}  ids");
        foreach (var path in texts)
            Compare(tokenizerPath, Path.GetFileNameWithoutExtension(path), Encoding.UTF8.GetString(File.ReadAllBytes(path)), PieceLength);
        foreach (var (name, text) in Hostile())
            Compare(tokenizerPath, name, text, text.Length);
    }

    private static IEnumerable<(string Name, string Text)> Hostile()
    {
        yield return ("1,000,000 × a", new string('a', HostileLength));
        yield return ("1,000,000 × space", new string(' ', HostileLength));
        yield return ("1,000,000 × 1", new string('1', HostileLength));
        yield return ("1,000,000 × 漢", new string('漢', HostileLength));
        var random = new Random(1);
        yield return (
            "500,000 letters, no space",
            string.Concat(Enumerable.Range(0, HostileLength / 2).Select(_ => (char)('a' + random.Next(26))))
        );
    }

    private static void Compare(string tokenizerPath, string name, string text, int pieceLength)
    {
        var megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;
        var threads = pieceLength < text.Length ? new[] { 1, 2 } : [1];
        var line = $"{name, -28} {megabytes, 6:F1}";
        var same = "the same";
        foreach (var count in threads)
        {
            var (own, rival) = (new List<double>(), new List<double>());
            for (var round = 0; round < Rounds; round++)
            {
                var (seconds, hash) = Encode(tokenizerPath, text, pieceLength, count);
                own.Add(seconds);
                if (Rival(tokenizerPath, text, pieceLength, count) is not { } other)
                    break;
                rival.Add(other.Seconds[0]);
                if (other.Hash != hash)
                    same = "DIFFERENT";
            }
            var (mine, theirs) = (AddressingBenchmark.Median(own), rival.Count == 0 ? double.NaN : AddressingBenchmark.Median(rival));
            line += $" {megabytes / mine, 9:F1} {megabytes / theirs, 7:F2} {theirs / mine, 6:F1}";
            if (rival.Count == 0)
                same = "no rival within a minute";
        }
        Console.WriteLine(threads.Length == 2 ? $"{line}  {same}" : $"{line} {"", 10} {"", 7} {"", 6} {same}");
    }

    private static (double Seconds, int Hash) Encode(string tokenizerPath, string text, int pieceLength, int threads)
    {
        var tokenizer = Tokenizer.Load(tokenizerPath);
        tokenizer.Encode("warm");
        var ids = new List<int>[(text.Length + pieceLength - 1) / pieceLength];
        var watch = Stopwatch.StartNew();
        Parallel.For(
            0,
            ids.Length,
            new ParallelOptions { MaxDegreeOfParallelism = threads },
            piece =>
            {
                var part = text.AsSpan(piece * pieceLength, Math.Min(pieceLength, text.Length - (piece * pieceLength)));
                tokenizer.Encode(part, ids[piece] = new List<int>(part.Length / 3));
            }
        );
        var seconds = watch.Elapsed.TotalSeconds;
        var hash = 0;
        foreach (var id in ids.SelectMany(piece => piece))
            hash = unchecked((hash * 31) + id);
        return (seconds, hash);
    }

    /// <summary>One run of the rival, or null where there is no Node or no such package, or where it takes longer than a minute.</summary>
    private static RivalOutput? Rival(string tokenizerPath, string text, int pieceLength, int threads)
    {
        var textPath = Path.GetTempFileName();
        try
        {
            File.WriteAllText(textPath, text);
            var start = new ProcessStartInfo(
                "node",
                [Path.Combine(AppContext.BaseDirectory, "rivals", "tokenizer_speed.js"), tokenizerPath, textPath, $"{pieceLength}", "1"]
            )
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["RAYON_NUM_THREADS"] = $"{threads}" },
            };
            using var node = Process.Start(start)!;
            var (errors, output) = (node.StandardError.ReadToEndAsync(), node.StandardOutput.ReadToEndAsync());
            if (!node.WaitForExit(SlowestRivalMilliseconds))
            {
                node.Kill();
                return null;
            }
            node.WaitForExit();
            if (node.ExitCode == 0)
                return JsonSerializer.Deserialize<RivalOutput>(output.Result)!;
            if (errors.Result.Contains("Cannot find module 'tokenizers'", StringComparison.Ordinal))
                return null;
            throw new InvalidOperationException($"tokenizer_speed.js failed: {errors.Result}");
        }
        catch (Win32Exception)
        {
            return null;
        }
        finally
        {
            File.Delete(textPath);
        }
    }

    private sealed record RivalOutput(
        [property: JsonPropertyName("seconds")] double[] Seconds,
        [property: JsonPropertyName("tokens")] long Tokens,
        [property: JsonPropertyName("hash")] int Hash
    );
}

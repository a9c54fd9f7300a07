using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Studies.Benchmarks;
using Engram.Torch.Native;
using Engram.Training;
using TorchSharp;

namespace Engram.Benchmarks;

/// <summary>
/// Trains every model in turns, one update each, so that a drift of the machine meets all of them; medians, and ratios within one round.
/// </summary>
internal static class TrainingComparison
{
    private const int WarmUp = 2;

    public static void Run(int threads, int steps)
    {
        LibTorch.EnsureLoaded();
        Malloc.Tune();
        torch.set_num_threads(threads);
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        Console.WriteLine($"{threads} threads, load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}");

        // Muon costs the same arithmetic for any number of tokens, so the larger models get updates as large as they would in earnest.
        foreach (
            var (presets, sequences, length, rounds) in new (string[], int, int, int)[]
            {
                (
                    ["quickstart-dense", "quickstart-moe", "quickstart-moe-few", "quickstart-engram", "quickstart-engram-one-row"],
                    8,
                    128,
                    steps
                ),
                (["small-dense", "small-moe", "small-engram"], 32, 256, Math.Max(3, steps / 4)),
            }
        )
        {
            var models = presets.Select(name => new TrainingSpeed(name, Presets.Load(name), corpus, sequences, length)).ToList();
            // The same model with its memory taken out and nothing given back: what the memory costs as a pure addition.
            var engram = Presets.Load(presets.First(name => name.EndsWith("engram", StringComparison.Ordinal)));
            models.Add(new TrainingSpeed("… without its memory", engram with { Engram = null }, corpus, sequences, length));
            var peaks = new List<double>();
            for (var step = 0; step < WarmUp + rounds; step++)
            {
                models.ForEach(model => model.Step());
                peaks.Add(MatmulPeak.Measure(torch.CPU));
            }

            var peak = AddressingBenchmark.Median(peaks.Skip(WarmUp));
            Console.WriteLine($"\nfloat32 matrix-product peak {peak / 1e9:F0} GFLOP/s; {rounds} updates of {sequences} x {length} tokens");
            Console.WriteLine(
                $"{"model", -28} {"active", 12} {"total", 12} {"ms/update", 10} {"tokens/s", 10} {"GFLOP/s", 8} {"of peak", 8}"
            );
            foreach (var model in models)
            {
                var seconds = AddressingBenchmark.Median(model.Seconds.Skip(WarmUp));
                var share = model.UsefulFlopsPerStep / seconds / peak;
                Console.WriteLine(
                    $"{model.Name, -28} {model.Plan.ActiveParameters, 12:N0} {model.Plan.TotalParameters, 12:N0} {seconds * 1e3, 10:F1} "
                        + $"{model.TokensPerStep / seconds, 10:F0} {model.UsefulFlopsPerStep / seconds / 1e9, 8:F1} {share, 8:P0}"
                );
            }

            var with = models.Single(model => model.Name.EndsWith("-engram", StringComparison.Ordinal));
            void Ratio(string against)
            {
                var other = models.Single(model => model.Name == against);
                var ratio = AddressingBenchmark.Median(with.Seconds.Zip(other.Seconds, (a, b) => a / b).Skip(WarmUp));
                Console.WriteLine($"{with.Name} / {against}: {ratio:F3} times the seconds per update");
            }

            Ratio(models[^1].Name);
            Ratio(presets[1]);
            models.ForEach(model => model.Dispose());
        }
    }
}

using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Studies.Benchmarks;
using Engram.Torch.Native;
using TorchSharp;

namespace Engram.Benchmarks;

/// <summary>
/// Trains models of one active size with few and many experts in turns, one update each, beside a dense model and one with memory.
/// </summary>
internal static class ExpertComparison
{
    private const int WarmUp = 4;
    private const int Vocabulary = 2048;
    private const int Sequences = 8;
    private const int Length = 128;

    public static void Run(int threads, int rounds, IReadOnlyList<int> counts)
    {
        LibTorch.EnsureLoaded();
        Malloc.Tune();
        torch.set_num_threads(threads);
        using var corpus = DataPreparation.Prepare(
            CorpusSource.Open(CorpusSource.DotnetDocs),
            Path.Combine("runs", $"bench-data-{Vocabulary}"),
            new PreparationOptions { VocabularySize = Vocabulary }
        );
        var few = Presets.Load("quickstart-moe-few") with { VocabularySize = Vocabulary };
        var models = counts.Select(experts => Trained($"{experts} experts", WithExperts(few, experts))).ToList();
        models.Add(Trained("dense", Presets.Load("quickstart-dense")));
        models.Add(Trained("engram", Presets.Load("quickstart-engram")));
        Console.WriteLine(
            $"{threads} thread(s), load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}; {rounds} updates of {Sequences} x "
                + $"{Length} tokens, medians; ms of an update and of its parts"
        );
        for (var round = 0; round < WarmUp + rounds; round++)
            foreach (var model in models)
                model.Step();

        Console.WriteLine(
            $"{"", -12} {"active", 9} {"total", 9} {"tokens/s", 9} {"of first", 9} {"update", 8} {"forward", 8} {"backward", 9} "
                + $"{"clipping", 9} {"optimizer", 10}"
        );
        foreach (var model in models)
        {
            var ratio = AddressingBenchmark.Median(models[0].Seconds.Zip(model.Seconds, (first, mine) => first / mine).Skip(WarmUp));
            var seconds = AddressingBenchmark.Median(model.Seconds.Skip(WarmUp));
            var parts = model.Parts.Skip(WarmUp).ToList();
            Console.WriteLine(
                $"{model.Name, -12} {model.Plan.ActiveParameters, 9:N0} {model.Plan.TotalParameters, 9:N0} "
                    + $"{model.TokensPerStep / seconds, 9:N0} {ratio, 9:F3} {seconds * 1e3, 8:F1} "
                    + $"{Milliseconds(parts.Select(part => part.Forward)), 8:F1} {Milliseconds(parts.Select(part => part.Backward)), 9:F1} "
                    + $"{Milliseconds(parts.Select(part => part.Clipping)), 9:F2} {Milliseconds(parts.Select(part => part.Dense)), 10:F1}"
            );
            model.Dispose();
        }

        TrainingSpeed Trained(string name, ModelConfiguration model) =>
            new(name, model with { VocabularySize = Vocabulary }, corpus, Sequences, Length);
    }

    /// <summary>
    /// The shared expert gives up what the longer router needs: each further expert costs <c>hidden</c> weights there, and one unit of its
    /// width has 3 · <c>hidden</c>.
    /// </summary>
    private static ModelConfiguration WithExperts(ModelConfiguration few, int experts) =>
        few with
        {
            NRoutedExperts = experts,
            SharedExpertIntermediateSize = few.SharedExpertIntermediateSize - (experts - few.NRoutedExperts) / 3,
        };

    private static double Milliseconds(IEnumerable<double> seconds) => 1e3 * AddressingBenchmark.Median(seconds);
}

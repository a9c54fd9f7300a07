using System.Diagnostics;
using System.Globalization;
using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch;
using Engram.Torch.Native;

namespace Engram.Benchmarks;

/// <summary>
/// The managed engine over long contexts: a model whose context YaRN extends reads texts of several lengths, then goes on token by token at
/// their end. Time per token, and what the process holds at most beyond what it held before.
/// </summary>
internal static class LongReading
{
    private const int Decoded = 32;
    private const int WarmUp = 64;

    public static void Run(string preset, int threads, int[] lengths)
    {
        var folder = Path.Combine("runs", "long-reading", $"{preset}-{lengths.Max() + Decoded}");
        if (!Directory.Exists(folder))
            Make(preset, lengths.Max() + Decoded, folder);
        using var model = EngramModel.Open(folder, new MemoryOptions { Tables = TableLocation.Mapped }, threads);
        var random = new Random(1);
        var ids = Enumerable.Range(0, lengths.Max() + Decoded).Select(_ => random.Next(2, model.Tokenizer.VocabularySize)).ToArray();
        var logits = new float[model.Configuration.VocabularySize];
        model.Read(model.NewSequence(), ids.AsSpan(0, WarmUp), logits);
        Console.WriteLine(
            $"{preset}, context extended from {Presets.Load(preset).MaxPositionEmbeddings} to {model.Configuration.MaxPositionEmbeddings}, "
                + $"{threads} thread(s), load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}"
        );
        foreach (var length in lengths)
        {
            GC.Collect();
            ForgetPeak();
            var before = Status("VmHWM:");
            var (sequence, clock) = (model.NewSequence(), Stopwatch.StartNew());
            model.Read(sequence, ids.AsSpan(0, length), logits);
            var prompt = clock.Elapsed.TotalSeconds / length;
            var tokens = new List<double>();
            for (var t = length; t < length + Decoded; t++)
            {
                clock.Restart();
                model.Read(sequence, ids.AsSpan(t, 1), logits);
                tokens.Add(clock.Elapsed.TotalSeconds);
            }

            Console.WriteLine(
                $"{length, 7:N0} tokens: read at {prompt * 1e6:F0} µs per token ({1 / prompt:F0} tokens/s); then one by one {tokens.Order().ElementAt(Decoded / 2) * 1e3:F2} ms per token; "
                    + $"at most {(Status("VmHWM:") - before) / 1024.0:F0} MiB more than before"
            );
        }
    }

    private static void Make(string preset, int context, string folder)
    {
        LibTorch.EnsureLoaded();
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var configuration = Presets.Load(preset);
        var factor = Math.Max(ContextExtension.PaperFactor, Math.Ceiling((double)context / configuration.MaxPositionEmbeddings));
        using var model = LanguageModel.Create(ContextExtension.Extend(configuration, context, factor: factor), corpus.Tokenizer, seed: 1);
        model.Save(folder);
    }

    /// <summary>Linux forgets the peak of a process on request.</summary>
    private static void ForgetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    /// <summary>Kibibytes.</summary>
    private static long Status(string name)
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}

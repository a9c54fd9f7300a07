using System.Runtime.Intrinsics.X86;
using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Torch;
using Engram.Torch.Native;
using TorchSharp;

namespace Engram.Benchmarks;

/// <summary>
/// One sequence, token by token: the managed engine beside the same model through TorchSharp, in turns, on one thread and on all; and how
/// much of the memory's bandwidth,
/// measured in the same run, the weights of a token use.
/// </summary>
internal static class DecodeComparison
{
    private const int Prompt = 16;
    private const int Tokens = 96;
    private const int Rounds = 12;
    private const int WarmUpRounds = 3;

    public static void Run(IReadOnlyList<string> presets)
    {
        LibTorch.EnsureLoaded();
        Malloc.Tune();
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var texts = new ValidationBatches(corpus, 2000, 1, Tokens + Prompt)
            .Select(batch => batch.Inputs.ToArray())
            .Take(Rounds + WarmUpRounds)
            .ToList();
        Console.WriteLine(
            $"AVX-512 {Avx512F.IsSupported}, VNNI from .NET {AvxVnni.IsSupported}; load average "
                + $"{File.ReadAllText("/proc/loadavg").Split(' ')[0]}"
        );
        foreach (var threads in new[] { 1, Environment.ProcessorCount }.Distinct())
        {
            var bandwidth = MemoryBandwidth.Read(threads);
            Console.WriteLine($"\n{threads} thread(s); memory is read at {bandwidth / 1e9:F1} GB/s");
            Console.WriteLine($"{"", -38} {"tokens/s", 10} {"of TorchSharp", 14} {"quartiles", 16} {"MB/token", 9} {"of bandwidth", 13}");
            foreach (var preset in presets)
                Measure(preset, threads, bandwidth, corpus, texts);
        }
    }

    private static void Measure(string preset, int threads, double bandwidth, PreparedCorpus corpus, List<int[]> texts)
    {
        torch.set_num_threads(threads);
        var folder = Path.Combine("runs", "decode", preset);
        if (!Directory.Exists(folder))
            using (var model = LanguageModel.Create(Presets.Load(preset), corpus.Tokenizer, seed: 1))
                model.Save(folder);
        using var native = new DecodeSpeed(preset, LanguageModel.Load(folder));
        var arms = new List<(string Name, Func<int[], double> Read, IDisposable Model, double Bytes)>
        {
            ("TorchSharp, float32", ids => native.Read(ids, Prompt), native, 0),
        };
        var active = ModelPlan.Of(Presets.Load(preset)).ActiveWithOne;
        foreach (var (format, bits) in new[] { ("float32", 32), ("bfloat16", 16), ("int8", 8.5), ("int4", 4.5) })
        {
            var converted = format == "float32" ? folder : $"{folder}-{format}";
            if (!Directory.Exists(converted))
                WeightConversion.Convert(folder, format, converted);
            var managed = new ManagedDecode(EngramModel.Open(converted, threads: threads));
            arms.Add(($"managed, {format}", ids => managed.Read(ids, Prompt), managed, active * bits / 8));
        }

        var seconds = arms.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < texts.Count; round++)
        for (var i = 0; i < arms.Count; i++)
        {
            var arm = (round + i) % arms.Count;
            seconds[arm].Add(arms[arm].Read(texts[round]));
        }

        for (var i = 0; i < arms.Count; i++)
        {
            var ratios = seconds[0].Zip(seconds[i], (first, mine) => first / mine).Skip(WarmUpRounds).Order().ToList();
            var median = seconds[i].Skip(WarmUpRounds).Order().ElementAt(Rounds / 2);
            Console.WriteLine(
                $"{preset + ", " + arms[i].Name, -38} {1 / median, 10:F0} {ratios[ratios.Count / 2], 14:F2} "
                    + $"{$"{ratios[ratios.Count / 4]:F2}–{ratios[ratios.Count * 3 / 4]:F2}", 16} {arms[i].Bytes / 1e6, 9:F2} "
                    + $"{arms[i].Bytes / median / bandwidth, 13:P0}"
            );
            arms[i].Model.Dispose();
        }
    }
}

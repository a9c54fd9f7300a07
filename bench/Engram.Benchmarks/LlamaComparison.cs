using System.Diagnostics;
using System.Numerics.Tensors;
using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Gguf;
using Engram.Torch;
using Engram.Torch.Native;

namespace Engram.Benchmarks;

/// <summary>
/// The managed engine beside llama.cpp over the same weights, bits and threads, in turns: logits, greedy texts, tokens per second of single
/// tokens and of prompts. The model is one of DeepSeek-V2's kind, without memory and hyper-connections, with random weights unless a folder
/// is given.
/// </summary>
internal static class LlamaComparison
{
    private const int Context = 1024;
    private const int GreedyTokens = 48;
    private const int DecodeTokens = 64;
    private const int Rounds = 7;
    private static readonly int[] PromptLengths = [64, 256, 512];

    public static void Run(string? folder)
    {
        LibTorch.EnsureLoaded();
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        folder ??= MakeFolder(corpus);
        var text = new ValidationBatches(corpus, 8, 1, Context).First().Inputs.ToArray();
        foreach (var format in new[] { "float32", "bfloat16", "int8", "int4" })
        {
            var converted = format == "float32" ? folder : $"{folder}-{format}";
            if (!Directory.Exists(converted))
                WeightConversion.Convert(folder, format, converted);
            var gguf = converted + ".gguf";
            if (!File.Exists(gguf))
                GgufExport.Export(converted, gguf);
            Agree(format, converted, gguf, text);
            foreach (var threads in new[] { 1, Environment.ProcessorCount }.Distinct())
                Time(format, converted, gguf, text, threads);
        }
    }

    /// <summary>The logits behind every token of a text, and greedy texts after some beginnings of it.</summary>
    private static void Agree(string format, string folder, string gguf, int[] text)
    {
        using var managed = EngramModel.Open(folder, threads: 1);
        using var llama = new LlamaModel(gguf, threads: 1, Context, exact: true);
        var (sequence, logits) = (managed.NewSequence(), new float[managed.Configuration.VocabularySize]);
        var (differences, largest, best) = (new List<float>(), 0f, 0);
        foreach (var id in text.AsSpan(0, 128))
        {
            managed.Read(sequence, [id], logits);
            var others = llama.Read([id]);
            var worst = 0f;
            for (var i = 0; i < logits.Length; i++)
                (worst, largest) = (Math.Max(worst, Math.Abs(logits[i] - others[i])), Math.Max(largest, Math.Abs(logits[i])));
            differences.Add(worst);
            best += TensorPrimitives.IndexOfMax<float>(logits) == TensorPrimitives.IndexOfMax(others) ? 1 : 0;
        }

        differences.Sort();
        var same = 0;
        int[] prompts = [4, 16, 64, 200];
        foreach (var prompt in prompts)
            same += Greedy(prompt).SequenceEqual(GreedyOfLlama(prompt)) ? 1 : 0;
        Console.WriteLine(
            $"\n{format}: logits of 128 positions differ by {differences[64] / largest:E1} of the largest at the median position, "
                + $"{differences[^1] / largest:E1} at the worst; the likeliest token is the same at {best}; "
                + $"{same} of {prompts.Length} greedy texts of {GreedyTokens} tokens are equal"
        );

        List<int> Greedy(int prompt)
        {
            var (own, ids, next) = (managed.NewSequence(), new List<int>(), text[..prompt]);
            while (ids.Count < GreedyTokens)
            {
                managed.Read(own, next, logits);
                ids.Add(TensorPrimitives.IndexOfMax<float>(logits));
                next = [ids[^1]];
            }

            return ids;
        }

        List<int> GreedyOfLlama(int prompt)
        {
            llama.Clear();
            var (ids, next) = (new List<int>(), text[..prompt]);
            while (ids.Count < GreedyTokens)
            {
                ids.Add(TensorPrimitives.IndexOfMax(llama.Read(next)));
                next = [ids[^1]];
            }

            return ids;
        }
    }

    private static void Time(string format, string folder, string gguf, int[] text, int threads)
    {
        using var managed = EngramModel.Open(folder, threads: threads);
        using var llama = new LlamaModel(gguf, threads, Context);
        var logits = new float[managed.Configuration.VocabularySize];
        Compare(
            "decode after 64",
            DecodeTokens,
            () =>
            {
                var sequence = managed.NewSequence();
                managed.Read(sequence, text.AsSpan(0, 64), logits);
                var clock = Stopwatch.StartNew();
                for (var t = 64; t < 64 + DecodeTokens; t++)
                    managed.Read(sequence, text.AsSpan(t, 1), logits);
                return clock.Elapsed.TotalSeconds;
            },
            () =>
            {
                llama.Clear();
                llama.Read(text.AsSpan(0, 64));
                var clock = Stopwatch.StartNew();
                for (var t = 64; t < 64 + DecodeTokens; t++)
                    llama.Read(text.AsSpan(t, 1));
                return clock.Elapsed.TotalSeconds;
            }
        );
        foreach (var length in PromptLengths)
            Compare(
                $"prefill {length}",
                length,
                () =>
                {
                    var (sequence, clock) = (managed.NewSequence(), Stopwatch.StartNew());
                    managed.Read(sequence, text.AsSpan(0, length), logits);
                    return clock.Elapsed.TotalSeconds;
                },
                () =>
                {
                    llama.Clear();
                    var clock = Stopwatch.StartNew();
                    llama.Read(text.AsSpan(0, length));
                    return clock.Elapsed.TotalSeconds;
                }
            );

        void Compare(string what, int tokens, Func<double> own, Func<double> other)
        {
            var (mine, theirs) = (new List<double>(), new List<double>());
            for (var round = 0; round < Rounds + 2; round++)
            {
                if (round % 2 == 0)
                    mine.Add(own());
                theirs.Add(other());
                if (round % 2 == 1)
                    mine.Add(own());
            }

            var ratios = theirs.Zip(mine, (a, b) => a / b).Skip(2).Order().ToList();
            Console.WriteLine(
                $"  {format, -9} {threads} thread(s)  {what, -16} managed {tokens / mine.Skip(2).Order().ElementAt(Rounds / 2), 8:F0} "
                    + $"tokens/s, llama.cpp {tokens / theirs.Skip(2).Order().ElementAt(Rounds / 2), 8:F0}: "
                    + $"{ratios[ratios.Count / 2]:F2} times ({ratios[ratios.Count / 4]:F2}–{ratios[ratios.Count * 3 / 4]:F2})"
            );
        }
    }

    private static string MakeFolder(PreparedCorpus corpus)
    {
        var folder = Path.Combine("runs", "llama", "small-moe");
        if (Directory.Exists(folder))
            return folder;
        var configuration = Presets.Load("small-moe") with { HcMult = 1, QLoraRank = 256 };
        using var model = LanguageModel.Create(configuration, corpus.Tokenizer, seed: 1);
        model.Save(folder);
        return folder;
    }
}

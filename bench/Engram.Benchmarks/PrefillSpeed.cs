using System.Diagnostics;
using Engram.Corpora;
using Engram.Inference;
using Engram.Inference.Sequences;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Torch;
using Engram.Torch.Native;

namespace Engram.Benchmarks;

/// <summary>Tokens per second of prompts by length, and of batches of sequences that go on token by token.</summary>
internal static class PrefillSpeed
{
    private const int Rounds = 5;
    private const int BatchTokens = 24;

    public static void Run(string preset)
    {
        LibTorch.EnsureLoaded();
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var folder = Path.Combine("runs", "decode", preset);
        if (!Directory.Exists(folder))
            using (var model = LanguageModel.Create(Presets.Load(preset), corpus.Tokenizer, seed: 1))
                model.Save(folder);
        foreach (var format in new[] { "float32", "bfloat16", "int8" })
        {
            var converted = format == "float32" ? folder : $"{folder}-{format}";
            if (!Directory.Exists(converted))
                WeightConversion.Convert(folder, format, converted);
            foreach (var threads in new[] { 1, Environment.ProcessorCount }.Distinct())
            {
                using var model = EngramModel.Open(converted, threads: threads);
                var text = new ValidationBatches(corpus, 8, 1, model.Configuration.MaxPositionEmbeddings).First().Inputs.ToArray();
                Console.Write($"{preset}, {format}, {threads} thread(s): prompts of");
                foreach (var length in new[] { 16, 64, 256, 1024 }.Where(length => length <= text.Length))
                    Console.Write($" {length}: {length / Median(() => Prompt(model, text, length)):F0} tokens/s;");
                Console.Write(" batches of");
                foreach (var sequences in new[] { 1, 4, 16, 64 })
                    Console.Write($" {sequences}: {sequences * BatchTokens / Median(() => Batch(model, text, sequences)):F0} tokens/s;");
                Console.WriteLine();
            }
        }
    }

    private static double Prompt(EngramModel model, int[] text, int length)
    {
        var (sequence, clock) = (model.NewSequence(), Stopwatch.StartNew());
        model.Read(sequence, text.AsSpan(0, length), new float[model.Configuration.VocabularySize]);
        return clock.Elapsed.TotalSeconds;
    }

    /// <summary>Sequences at different positions, one token of each per call.</summary>
    private static double Batch(EngramModel model, int[] text, int count)
    {
        var sequences = new Sequence[count];
        for (var b = 0; b < count; b++)
            model.Read(sequences[b] = model.NewSequence(), text.AsSpan(b, b % 8 + 1), []);
        var (next, logits) = (new int[count], new float[count * model.Configuration.VocabularySize]);
        var clock = Stopwatch.StartNew();
        for (var t = 0; t < BatchTokens; t++)
        {
            for (var b = 0; b < count; b++)
                next[b] = text[10 + b + t];
            model.Read(sequences, next, logits);
        }

        return clock.Elapsed.TotalSeconds;
    }

    private static double Median(Func<double> measure) =>
        Enumerable.Range(0, Rounds + 1).Select(_ => measure()).Skip(1).Order().ElementAt(Rounds / 2);
}

using System.Diagnostics;
using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Torch;
using Engram.Torch.Native;

namespace Engram.Benchmarks;

/// <summary>
/// A batch whose sequences are forked, cut and continued at random, for many tokens: what it allocates, and whether memory grows.
/// </summary>
internal static class ForkingBatch
{
    private const int Sequences = 8;
    private const int CallsBetweenForks = 50;

    public static void Run(string preset, int tokens)
    {
        LibTorch.EnsureLoaded();
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var folder = Path.Combine("runs", "decode", preset);
        if (!Directory.Exists(folder))
            using (var made = LanguageModel.Create(Presets.Load(preset), corpus.Tokenizer, seed: 1))
                made.Save(folder);
        using var model = EngramModel.Open(folder);
        var context = model.Configuration.MaxPositionEmbeddings;
        var random = new Random(1);
        var batch = Enumerable.Range(0, Sequences).Select(_ => model.NewSequence()).ToArray();
        var (ids, logits) = (new int[Sequences], new float[Sequences * model.Configuration.VocabularySize]);
        // Full room for every sequence first, which comes with its longest text; and for a call with all of them.
        foreach (var sequence in batch)
        {
            model.Read(sequence, Enumerable.Range(0, context).Select(i => i % 1000).ToArray(), []);
            sequence.Truncate(0);
        }

        model.Read(batch, ids, logits);

        var (read, inTokens, forks, clock) = (0, 0L, 0, Stopwatch.StartNew());
        while (read < tokens)
        {
            for (var call = 0; call < CallsBetweenForks; call++, read += Sequences)
            {
                for (var b = 0; b < Sequences; b++)
                {
                    if (batch[b].Length == context)
                        batch[b].Truncate(random.Next(context));
                    ids[b] = random.Next(model.Tokenizer.VocabularySize);
                }

                var before = GC.GetAllocatedBytesForCurrentThread();
                model.Read(batch, ids, logits);
                inTokens += GC.GetAllocatedBytesForCurrentThread() - before;
            }

            var (from, to) = (random.Next(Sequences), random.Next(Sequences));
            if (from != to)
                (batch[to], forks) = (batch[from].Fork(), forks + 1);
            if (read / 20_000 != (read - CallsBetweenForks * Sequences) / 20_000)
                Console.WriteLine(
                    $"{read:N0} tokens, {forks:N0} forks: {inTokens:N0} bytes allocated while reading, "
                        + $"{GC.GetTotalMemory(forceFullCollection: true) / 1e6:F1} MB alive, "
                        + $"working set {Environment.WorkingSet / 1e6:F0} MB, {read / clock.Elapsed.TotalSeconds:F0} tokens/s"
                );
        }
    }
}

using System.Diagnostics;
using Engram.Corpora;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Torch;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Benchmarks;

/// <summary>
/// The scorer of evaluations against itself without shared prefixes and against plain forward passes over the same tokens, in turns: of its
/// own engine, text by text, and of libtorch, texts of like length side by side.
/// </summary>
internal static class ScorerSpeed
{
    private const int Rounds = 5;
    private const int Batch = 8;
    private const int Questions = 12;
    private const int Shots = 5;
    private const int QuestionTokens = 32;
    private const int OptionTokens = 6;

    public static void Run(string preset, int threads)
    {
        LibTorch.EnsureLoaded();
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var folder = Path.Combine("runs", "decode", preset);
        if (!Directory.Exists(folder))
            using (var made = LanguageModel.Create(Presets.Load(preset), corpus.Tokenizer, seed: 1))
                made.Save(folder);
        var engine = EngramModel.Open(folder, threads: threads);
        using var model = new ManagedModel(engine);
        var text = new ValidationBatches(corpus, 64, 1, 512).SelectMany(batch => batch.Inputs.ToArray()).ToArray();

        var requests = FiveShot(engine, text);
        int[][] read = [.. requests.Select(request => Ids(engine, request.Context + request.Continuation))];
        set_num_threads(threads);
        using var rival = LanguageModel.Load(folder);
        var times = InTurns(
            () => new Scorer(model, model.Memory).Answer(requests),
            () => new Scorer(model, model.Memory, sharePrefixes: false).Answer(requests),
            () => Forward(engine, read, everyToken: false),
            () => Batched(rival, read, everyToken: false)
        );
        var (shared, alone, plain, batched) = (times[0], times[1], times[2], times[3]);
        var tokens = read.Sum(ids => (long)ids.Length - 1);
        Console.WriteLine(
            $"{preset}, {threads} thread(s), {Questions} questions of 4 letters behind {Shots} examples, {tokens:N0} tokens of requests: "
                + $"shared {tokens / shared:N0} tokens/s, each for itself {tokens / alone:N0}, "
                + $"plain forward pass {tokens / plain:N0}, of libtorch in batches of {Batch} {tokens / batched:N0}"
        );
        Console.WriteLine(
            $"  sharing is {alone / shared:F1} times as fast; the scorer without it has {plain / alone:P0} of the forward pass's tokens/s, "
                + $"{batched / alone:P0} of libtorch's"
        );

        RollingRequest[] documents =
        [
            .. Enumerable.Range(0, 8).Select(i => new RollingRequest(engine.Tokenizer.Decode(text.AsSpan(i * 400, 400)))),
        ];
        int[][] whole = [.. documents.Select(document => Ids(engine, document.Text))];
        times = InTurns(
            () => new Scorer(model, model.Memory).Answer(documents),
            () => Forward(engine, whole, everyToken: true),
            () => Batched(rival, whole, everyToken: true)
        );
        var (rolling, forward, together) = (times[0], times[1], times[2]);
        var count = whole.Sum(ids => (long)ids.Length - 1);
        Console.WriteLine(
            $"  whole texts, {count:N0} tokens: {count / rolling:N0} tokens/s, forward pass with the logits of every token {count / forward:N0}: {forward / rolling:P0}; "
                + $"of libtorch in batches {count / together:N0}: {together / rolling:P0}"
        );
    }

    /// <summary>Questions of one subject: five worked examples, the question, and the letters as options.</summary>
    private static LikelihoodRequest[] FiveShot(EngramModel engine, int[] text)
    {
        var at = 0;
        var examples = string.Concat(Enumerable.Range(0, Shots).Select(i => Block() + " " + "ABCD"[i % 4] + "\n\n"));
        return
        [
            .. Enumerable
                .Range(0, Questions)
                .Select(_ => examples + Block())
                .SelectMany(prompt => "ABCD".Select(letter => new LikelihoodRequest(prompt, $" {letter}"))),
        ];

        string Block() =>
            $"{Piece(QuestionTokens)}\n{string.Join('\n', "ABCD".Select(letter => $"{letter}. {Piece(OptionTokens)}"))}\nAnswer:";

        string Piece(int count)
        {
            at += count;
            return engine.Tokenizer.Decode(text.AsSpan(at - count, count)).ReplaceLineEndings(" ").Trim();
        }
    }

    private static int[] Ids(EngramModel engine, string text) =>
        [engine.Configuration.StartTokenId!.Value, .. engine.Tokenizer.Encode(text)];

    /// <summary>Reads what requests read: all tokens but the last, whose prediction nobody wants.</summary>
    private static void Forward(EngramModel engine, int[][] requests, bool everyToken)
    {
        const int rows = 64;
        var logits = new float[rows * engine.Configuration.VocabularySize];
        foreach (var ids in requests)
        {
            var sequence = engine.NewSequence();
            if (!everyToken)
            {
                engine.Read(sequence, ids.AsSpan(..^1), logits.AsSpan(0, engine.Configuration.VocabularySize));
                continue;
            }
            for (var from = 0; from < ids.Length - 1; from += rows)
            {
                var count = Math.Min(rows, ids.Length - 1 - from);
                engine.Read(sequence, ids.AsSpan(from, count), logits.AsSpan(0, count * engine.Configuration.VocabularySize));
            }
        }
    }

    /// <summary>The same by libtorch: texts of like length side by side, the shorter ones filled up at their ends.</summary>
    private static void Batched(LanguageModel model, int[][] requests, bool everyToken)
    {
        using var inference = inference_mode();
        foreach (var batch in requests.OrderBy(ids => ids.Length).Chunk(Batch))
        {
            using var scope = NewDisposeScope();
            var length = batch[^1].Length - 1;
            var (ids, starts) = (new int[batch.Length * length], new bool[batch.Length * length]);
            for (var text = 0; text < batch.Length; text++)
            {
                batch[text].AsSpan(..^1).CopyTo(ids.AsSpan(text * length));
                starts[text * length] = true;
            }
            using var gathered = model.GatherMemory(ids, starts, batch.Length);
            var hidden = model.Transformer.Forward(ids, starts, batch.Length, gathered).Hidden;
            long[] wanted = everyToken
                ? [.. Enumerable.Range(0, ids.Length).Select(row => (long)row)]
                : [.. batch.Select((text, i) => (long)i * length + text.Length - 2)];
            using var logits = model.Transformer.Logits(hidden.reshape(ids.Length, -1).index_select(0, tensor(wanted))).cpu();
        }
    }

    /// <summary>Median seconds of ways of work that take turns, after one turn that does not count.</summary>
    private static double[] InTurns(params Action[] ways)
    {
        var times = ways.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round <= Rounds; round++)
        for (var way = 0; way < ways.Length; way++)
        {
            var clock = Stopwatch.StartNew();
            ways[way]();
            if (round > 0)
                times[way].Add(clock.Elapsed.TotalSeconds);
        }
        return [.. times.Select(seconds => seconds.Order().ElementAt(seconds.Count / 2))];
    }
}

using System.Diagnostics;
using Engram.Corpora;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Torch;
using Engram.Torch.Native;

namespace Engram.Benchmarks;

/// <summary>
/// The scorer of evaluations against itself without shared prefixes and against a plain forward pass over the same tokens, in turns.
/// </summary>
internal static class ScorerSpeed
{
    private const int Rounds = 5;
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
        var (shared, alone, plain) = InTurns(
            () => new Scorer(model, model.Memory).Answer(requests),
            () => new Scorer(model, model.Memory, sharePrefixes: false).Answer(requests),
            () => Forward(engine, read, everyToken: false)
        );
        var tokens = read.Sum(ids => (long)ids.Length - 1);
        Console.WriteLine(
            $"{preset}, {threads} thread(s), {Questions} questions of 4 letters behind {Shots} examples, {tokens:N0} tokens of requests: "
                + $"shared {tokens / shared:N0} tokens/s, each for itself {tokens / alone:N0}, plain forward pass {tokens / plain:N0}"
        );
        Console.WriteLine(
            $"  sharing is {alone / shared:F1} times as fast; the scorer without it has {plain / alone:P0} of the forward pass's tokens/s"
        );

        RollingRequest[] documents =
        [
            .. Enumerable.Range(0, 8).Select(i => new RollingRequest(engine.Tokenizer.Decode(text.AsSpan(i * 400, 400)))),
        ];
        int[][] whole = [.. documents.Select(document => Ids(engine, document.Text))];
        var (rolling, _, forward) = InTurns(
            () => new Scorer(model, model.Memory).Answer(documents),
            () => { },
            () => Forward(engine, whole, everyToken: true)
        );
        var count = whole.Sum(ids => (long)ids.Length - 1);
        Console.WriteLine(
            $"  whole texts, {count:N0} tokens: {count / rolling:N0} tokens/s, forward pass with the logits of every token {count / forward:N0}: {forward / rolling:P0}"
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

    /// <summary>Median seconds of three ways of work that take turns, after one turn that does not count.</summary>
    private static (double First, double Second, double Third) InTurns(Action first, Action second, Action third)
    {
        Action[] ways = [first, second, third];
        var times = ways.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round <= Rounds; round++)
        for (var way = 0; way < ways.Length; way++)
        {
            var clock = Stopwatch.StartNew();
            ways[way]();
            if (round > 0)
                times[way].Add(clock.Elapsed.TotalSeconds);
        }
        return (Median(times[0]), Median(times[1]), Median(times[2]));

        static double Median(List<double> seconds) => seconds.Order().ElementAt(seconds.Count / 2);
    }
}

using System.Runtime.InteropServices;
using Engram.Corpora.World;
using Engram.Models.Memory;
using Engram.Torch;
using static TorchSharp.torch;

namespace Engram.Evaluation.World;

/// <summary>
/// Asks a model the questions of a synthetic world. Every question is read with each of its choices; what the model would write itself
/// follows from the
/// right one.
/// </summary>
public static class WorldEvaluation
{
    private const int QuestionsPerBatch = 8;

    /// <summary>The outcomes of questions, in their order.</summary>
    /// <param name="model">Its configuration names the token that begins documents.</param>
    /// <param name="questions">Questions of any kinds.</param>
    /// <param name="memory">The memory to read; null adds nothing.</param>
    /// <param name="progress">Told how many questions are done.</param>
    /// <param name="cancellation">Ends between two batches.</param>
    /// <exception cref="InvalidOperationException">The configuration names no start token.</exception>
    public static IReadOnlyList<WorldOutcome> Ask(
        LanguageModel model,
        IReadOnlyList<WorldQuestion> questions,
        MemoryBank? memory,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(questions);
        var start =
            model.Configuration.StartTokenId
            ?? throw new InvalidOperationException(
                "config.json names neither bos_token_id nor eos_token_id, so that no token can stand before a question."
            );
        var outcomes = new WorldOutcome[questions.Count];
        using var inference = inference_mode();
        var done = 0;
        // Questions of a length go together, so that little is filled up.
        foreach (var batch in Enumerable.Range(0, questions.Count).OrderBy(i => questions[i].Prompt.Length).Chunk(QuestionsPerBatch))
        {
            cancellation.ThrowIfCancellationRequested();
            var continuations = batch
                .SelectMany(i => questions[i].Choices.Select(choice => Continuation.Of(model, start, questions[i].Prompt, choice)))
                .ToArray();
            var read = Read(model, continuations, memory);
            for (var (i, at) = (0, 0); i < batch.Length; at += questions[batch[i++]].Choices.Count)
                outcomes[batch[i]] = Outcome(questions[batch[i]], read.AsSpan(at, questions[batch[i]].Choices.Count));
            progress?.Report(done += batch.Length);
        }
        return outcomes;
    }

    private static WorldOutcome Outcome(WorldQuestion question, ReadOnlySpan<(double Nats, int Tokens, bool Likeliest)> choices)
    {
        var best = 0;
        for (var i = 1; i < choices.Length; i++)
            if (choices[i].Nats / choices[i].Tokens < choices[best].Nats / choices[best].Tokens)
                best = i;
        var gold = choices[question.Gold];
        return new WorldOutcome(question, gold.Likeliest, best, gold.Nats);
    }

    /// <summary>For each continuation its loss in nats, its tokens, and whether each of them is the likeliest.</summary>
    private static (double Nats, int Tokens, bool Likeliest)[] Read(LanguageModel model, Continuation[] continuations, MemoryBank? memory)
    {
        using var scope = NewDisposeScope();
        // What fills a shorter sequence up stands behind its end, where nothing that is read sees it.
        var length = continuations.Max(continuation => continuation.Ids.Length);
        var (ids, starts) = (new int[continuations.Length * length], new bool[continuations.Length * length]);
        var (positions, targets) = (new List<long>(), new List<long>());
        for (var i = 0; i < continuations.Length; i++)
        {
            var (text, from) = (continuations[i].Ids, continuations[i].From);
            text.CopyTo(ids, i * length);
            starts[i * length] = true;
            for (var t = from; t < text.Length; t++)
            {
                positions.Add(i * length + t - 1);
                targets.Add(text[t]);
            }
        }

        using var gathered = memory is null ? null : model.GatherMemory(ids, starts, continuations.Length, memory);
        var (hidden_ND, _) = model.Transformer.Forward(ids, starts, continuations.Length, gathered);
        var device = hidden_ND.device;
        var logits_PV = model.Transformer.Logits(hidden_ND.index_select(0, tensor(positions.ToArray()).to(device))).to(ScalarType.Float32);
        var targets_P = tensor(targets.ToArray()).to(device);
        var losses = Values<float>(nn.functional.cross_entropy(logits_PV, targets_P, reduction: nn.Reduction.None));
        var likeliest = Values<long>(logits_PV.argmax(-1));

        var read = new (double Nats, int Tokens, bool Likeliest)[continuations.Length];
        var at = 0;
        for (var i = 0; i < read.Length; i++)
        {
            read[i].Likeliest = true;
            for (var t = continuations[i].From; t < continuations[i].Ids.Length; t++, at++)
                read[i] = (read[i].Nats + losses[at], read[i].Tokens + 1, read[i].Likeliest && likeliest[at] == targets[at]);
        }
        return read;
    }

    private static T[] Values<T>(Tensor tensor)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(tensor.cpu().contiguous().bytes).ToArray();

    /// <summary>A prompt and a choice behind it, encoded together; the choice begins at a token.</summary>
    private readonly record struct Continuation(int[] Ids, int From)
    {
        public static Continuation Of(LanguageModel model, int start, string prompt, string choice)
        {
            int[] ids = [start, .. model.Tokenizer.Encode($"{prompt} {choice}")];
            var from = 1 + model.Tokenizer.Encode(prompt).Length;
            // A world's words begin with their space, so that the cut falls between tokens.
            return from < ids.Length
                ? new Continuation(ids, from)
                : throw new InvalidDataException($"'{choice}' has no token of its own behind '{prompt}' in this tokenizer.");
        }
    }
}

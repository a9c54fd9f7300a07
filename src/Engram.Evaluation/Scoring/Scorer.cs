using System.Diagnostics;
using System.Numerics.Tensors;
using Engram.Models.Memory;

namespace Engram.Evaluation.Scoring;

/// <summary>
/// Answers the requests of tasks. Likelihoods are read in the order of their token ids by one sequence that is cut back to what the next
/// request
/// shares with the last: the prompt
/// of a question's options and the examples before many questions are read once. Texts are generated side by side, forked from the same
/// sequence.
/// </summary>
/// <param name="model">Stays the caller's.</param>
/// <param name="memory">The memory to read: the model's own or a control; null adds nothing.</param>
/// <param name="sharePrefixes">False reads every request from its first token.</param>
/// <param name="together">Texts generated side by side: enough to read each weight for several tokens.</param>
public sealed class Scorer(IScoredModel model, MemoryBank? memory, bool sharePrefixes = true, int together = Scorer.Together)
{
    /// <summary>Texts generated side by side unless told.</summary>
    public const int Together = 16;

    // Logits are asked for so many tokens at a time.
    private const int LogitRows = 64;

    private readonly RequestEncoder _encoder = new(model.Tokenizer, model.Configuration);
    private readonly int _vocabulary = model.Configuration.VocabularySize;
    private readonly float[] _logits = new float[LogitRows * model.Configuration.VocabularySize];
    private readonly float[] _exponentials = new float[model.Configuration.VocabularySize];
    private readonly float[] _behindContext = new float[model.Configuration.VocabularySize];

    // Whose logits _behindContext holds: those behind the first so many tokens of the sequence; 0 for none.
    private int _contextLength;

    /// <summary>Answers requests; the answers come in their order.</summary>
    /// <param name="requests">Any kinds mixed.</param>
    /// <param name="progress">Hears of every answered request.</param>
    /// <param name="answered">Receives the index and answer of each request as soon as it is known, in no particular order.</param>
    /// <param name="cancellation">Ends the work between requests.</param>
    /// <exception cref="UnscorableRequestException">A request cannot be put to this model.</exception>
    /// <exception cref="InvalidDataException">The model's logits are not finite.</exception>
    public IReadOnlyList<ScoringAnswer> Answer(
        IReadOnlyList<ScoringRequest> requests,
        IProgress<ScoringProgress>? progress = null,
        Action<int, ScoringAnswer>? answered = null,
        CancellationToken cancellation = default
    )
    {
        var answers = new ScoringAnswer[requests.Count];
        var (clock, done, tokens, read) = (Stopwatch.StartNew(), 0, 0L, 0L);
        var parts = new List<(int Request, EncodedRequest Encoded)>();
        var generations = new List<(int Request, int[] Context, GenerationRequest Wanted)>();
        for (var i = 0; i < requests.Count; i++)
            try
            {
                Encode(i);
            }
            catch (InvalidDataException error)
            {
                throw new UnscorableRequestException(i, error.Message, error);
            }

        Likelihoods();
        Generations();
        return answers;

        void Encode(int i)
        {
            switch (requests[i])
            {
                case LikelihoodRequest likelihood:
                    parts.AddRange(_encoder.Encode(likelihood).Select(window => (i, window)));
                    break;
                case RollingRequest rolling:
                    parts.AddRange(_encoder.Encode(rolling).Select(window => (i, window)));
                    break;
                case GenerationRequest generation:
                    generations.Add((i, _encoder.Encode(generation), generation with { MaxNewTokens = _encoder.NewTokens(generation) }));
                    break;
                default:
                    throw new ArgumentException($"Requests of the type {requests[i].GetType().Name} are unknown.", nameof(requests));
            }
        }

        void Likelihoods()
        {
            var open = new int[requests.Count];
            foreach (var (request, _) in parts)
                open[request]++;
            for (var i = 0; i < requests.Count; i++)
                if (open[i] == 0 && requests[i] is not GenerationRequest)
                    Finish(i, new ScoringAnswer(0, 0, true)); // an empty text
            parts.Sort((one, other) => one.Encoded.TokenIds.AsSpan().SequenceCompareTo(other.Encoded.TokenIds));
            using var sequence = model.Start(memory);
            int[] held = [];
            foreach (var (request, encoded) in parts)
            {
                cancellation.ThrowIfCancellationRequested();
                var before = sequence.Length;
                var shared = sharePrefixes ? held.AsSpan(0, before).CommonPrefixLength(encoded.TokenIds) : 0;
                var answer = Score(sequence, encoded, ref shared, cancellation);
                tokens += encoded.TokenIds.Length - 1;
                read += sequence.Length - shared;
                held = encoded.TokenIds;
                answers[request] = answers[request] is { } sum
                    ? new(sum.LogLikelihood + answer.LogLikelihood, sum.Tokens + answer.Tokens, sum.Greedy && answer.Greedy)
                    : answer;
                if (--open[request] == 0)
                    Finish(request, answers[request]);
            }
        }

        void Generations()
        {
            generations.Sort((one, other) => one.Context.AsSpan().SequenceCompareTo(other.Context));
            using var trunk = model.Start(memory);
            int[] held = [];
            foreach (var group in generations.Chunk(together))
            {
                var texts = new List<GeneratedText>();
                try
                {
                    foreach (var (request, context, wanted) in group)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        var logits = new float[_vocabulary];
                        // The last token is read again for its logits where the whole context is shared.
                        var shared = sharePrefixes
                            ? Math.Min(held.AsSpan(0, trunk.Length).CommonPrefixLength(context), context.Length - 1)
                            : 0;
                        trunk.Truncate(shared);
                        trunk.Read(context.AsSpan(shared), logits, cancellation);
                        held = context;
                        read += context.Length - shared;
                        texts.Add(new GeneratedText(request, trunk.Fork(), wanted, model, logits, context.Length));
                    }

                    read += GenerateTogether(texts, cancellation);
                    foreach (var text in texts)
                    {
                        tokens += text.ContextLength + text.Count;
                        Finish(text.Request, answers[text.Request] = new ScoringAnswer(0, text.Count, true, text.Answer));
                    }
                }
                finally
                {
                    foreach (var text in texts)
                        text.Dispose();
                }
            }
        }

        void Finish(int request, ScoringAnswer answer)
        {
            answers[request] = answer;
            answered?.Invoke(request, answer);
            progress?.Report(new ScoringProgress(++done, requests.Count, tokens, read, clock.Elapsed));
        }
    }

    /// <summary>Reads what is new of a request and sums over its continuation.</summary>
    /// <param name="sequence">Holds tokens of the last request.</param>
    /// <param name="request">The next.</param>
    /// <param name="shared">Tokens at the sequence's beginning that belong to the request as well; on return, those that stayed.</param>
    /// <param name="cancellation">Ends the reading of a long text.</param>
    private ScoringAnswer Score(IScoredSequence sequence, EncodedRequest request, ref int shared, CancellationToken cancellation)
    {
        var (ids, first) = (request.TokenIds, request.First);
        if (_contextLength > shared)
            _contextLength = 0;
        if (shared < first || _contextLength != first)
        {
            // Only the logits behind the last token of the context count, so it is read again if need be.
            shared = Math.Min(shared, first - 1);
            sequence.Truncate(shared);
            sequence.Read(ids.AsSpan(shared..first), _behindContext, cancellation);
            _contextLength = first;
        }
        else
        {
            shared = first;
            sequence.Truncate(shared);
        }

        var (sum, greedy) = (0.0, true);
        Add(_behindContext, ids[first]);
        for (var from = first; from < ids.Length - 1; from += LogitRows)
        {
            var count = Math.Min(LogitRows, ids.Length - 1 - from);
            sequence.Read(ids.AsSpan(from, count), _logits.AsSpan(0, count * _vocabulary), cancellation);
            for (var t = 0; t < count; t++)
                Add(_logits.AsSpan(t * _vocabulary, _vocabulary), ids[from + t + 1]);
        }

        return new ScoringAnswer(sum, request.Count, greedy);

        void Add(ReadOnlySpan<float> logits, int token)
        {
            sum += LogProbability(logits, token);
            greedy &= TensorPrimitives.IndexOfMax(logits) == token;
        }
    }

    private long GenerateTogether(List<GeneratedText> texts, CancellationToken cancellation)
    {
        var steps = 0L;
        var logits = new float[texts.Count * _vocabulary];
        foreach (var text in texts)
            text.Choose(text.FirstLogits);
        for (var active = texts.Where(text => !text.Finished).ToList(); active.Count > 0; active.RemoveAll(text => text.Finished))
        {
            cancellation.ThrowIfCancellationRequested();
            model.Step(
                [.. active.Select(text => text.Sequence)],
                active.Select(text => text.Next).ToArray(),
                logits.AsSpan(0, active.Count * _vocabulary)
            );
            steps += active.Count;
            for (var i = 0; i < active.Count; i++)
                active[i].Choose(logits.AsSpan(i * _vocabulary, _vocabulary));
        }

        return steps;
    }

    /// <summary>log softmax(logits)[token]: exponentials in float32, their sum in float64 over short blocks.</summary>
    private double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        const int block = 1024;
        var max = TensorPrimitives.Max(logits);
        if (!float.IsFinite(max))
            throw new InvalidDataException(
                $"The logits hold {max}: weights or tables of the model are not finite. engram table verify finds those of tables."
            );
        TensorPrimitives.Subtract(logits, max, _exponentials);
        TensorPrimitives.Exp(_exponentials, _exponentials);
        var sum = 0.0;
        for (var from = 0; from < logits.Length; from += block)
            sum += TensorPrimitives.Sum<float>(_exponentials.AsSpan(from, Math.Min(block, logits.Length - from)));
        return logits[token] - max - Math.Log(sum);
    }
}

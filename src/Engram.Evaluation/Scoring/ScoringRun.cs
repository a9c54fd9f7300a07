using System.Diagnostics;
using Engram.Models.Memory;

namespace Engram.Evaluation.Scoring;

// Shape letters: V vocabulary

/// <summary>One list of requests on its way to its answers: encoded, sorted, likelihoods read, texts generated.</summary>
/// <param name="model">Stays the caller's.</param>
/// <param name="encoder">Of the model.</param>
/// <param name="prompts">The memory that prompts are read with; null adds nothing.</param>
/// <param name="answers">The memory that answers are read with.</param>
/// <param name="sharePrefixes">Whether what requests share is read once.</param>
/// <param name="requests">What is asked.</param>
/// <param name="progress">Hears of every answered request.</param>
/// <param name="answered">Receives the index and answer of each request as soon as it is known.</param>
/// <param name="cancellation">Ends the work between requests.</param>
internal sealed class ScoringRun(
    IScoredModel model,
    RequestEncoder encoder,
    MemoryBank? prompts,
    MemoryBank? answers,
    bool sharePrefixes,
    IReadOnlyList<ScoringRequest> requests,
    IProgress<ScoringProgress>? progress,
    Action<int, ScoringAnswer>? answered,
    CancellationToken cancellation
)
{
    private readonly int _vocabulary = model.Configuration.VocabularySize;
    private readonly ScoringAnswer[] _given = new ScoringAnswer[requests.Count];
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<(int Request, EncodedRequest Encoded)> _parts = [];
    private readonly List<(int Request, int[] Context, int Lost, GenerationRequest Wanted)> _generations = [];
    private readonly int[] _lost = new int[requests.Count];
    private int _done;
    private long _tokens;
    private long _read;
    private int _longest;

    /// <summary>The answers, in the order of the requests.</summary>
    /// <param name="together">Texts generated side by side.</param>
    public IReadOnlyList<ScoringAnswer> Answers(int together)
    {
        for (var i = 0; i < requests.Count; i++)
            try
            {
                Encode(i);
            }
            catch (InvalidDataException error)
            {
                throw new UnscorableRequestException(i, error.Message, error);
            }

        ReadLikelihoods();
        Generate(together);
        return _given;
    }

    private void Encode(int i)
    {
        switch (requests[i])
        {
            case LikelihoodRequest likelihood:
                _parts.AddRange(encoder.Encode(likelihood).Select(window => (i, window)));
                break;
            case RollingRequest rolling:
                _parts.AddRange(encoder.Encode(rolling).Select(window => (i, window)));
                break;
            case GenerationRequest generation:
                var (context, lost) = encoder.Encode(generation);
                _generations.Add((i, context, lost, generation with { MaxNewTokens = encoder.NewTokens(generation) }));
                break;
            default:
                throw new ArgumentException($"Requests of the type {requests[i].GetType().Name} are unknown.", nameof(requests));
        }
    }

    private void ReadLikelihoods()
    {
        var open = new int[requests.Count]; // windows of a request that are still to be read
        foreach (var (request, _) in _parts)
            open[request]++;
        for (var i = 0; i < requests.Count; i++)
            if (open[i] == 0 && requests[i] is not GenerationRequest)
                Finish(i, new ScoringAnswer(0, 0, true)); // an empty text
        _parts.Sort((one, other) => one.Encoded.TokenIds.AsSpan().SequenceCompareTo(other.Encoded.TokenIds));
        using var reader = new LikelihoodReader(model, prompts, answers, sharePrefixes);
        foreach (var (request, encoded) in _parts)
        {
            cancellation.ThrowIfCancellationRequested();
            var before = reader.TokensRead;
            var answer = reader.Score(encoded, cancellation) with { Lost = encoded.Lost };
            _tokens += encoded.TokenIds.Length - 1;
            _longest = Math.Max(_longest, encoded.TokenIds.Length - 1);
            _read += reader.TokensRead - before;
            _given[request] = _given[request] is { } sum
                ? new(
                    sum.LogLikelihood + answer.LogLikelihood,
                    sum.Tokens + answer.Tokens,
                    sum.Greedy && answer.Greedy,
                    Lost: sum.Lost + answer.Lost
                )
                : answer;
            if (--open[request] == 0)
                Finish(request, _given[request]);
        }
    }

    private void Generate(int together)
    {
        _generations.Sort((one, other) => one.Context.AsSpan().SequenceCompareTo(other.Context));
        using var trunk = model.Start(prompts);
        int[] held = [];
        foreach (var group in _generations.Chunk(together))
        {
            var texts = new List<GeneratedText>();
            try
            {
                foreach (var (request, context, lost, wanted) in group)
                {
                    cancellation.ThrowIfCancellationRequested();
                    texts.Add(Fork(trunk, held, request, context, wanted));
                    _lost[request] = lost;
                    held = context;
                }

                Continue(texts);
                foreach (var text in texts)
                {
                    _tokens += text.ContextLength + text.Count;
                    _longest = Math.Max(_longest, text.ContextLength + text.Count);
                    Finish(text.Request, new ScoringAnswer(0, text.Count, true, text.Answer, _lost[text.Request]));
                }
            }
            finally
            {
                foreach (var text in texts)
                    text.Dispose();
            }
        }
    }

    /// <summary>A text that goes on behind a context, of which the trunk holds what it shares with the last.</summary>
    private GeneratedText Fork(IScoredSequence trunk, int[] held, int request, int[] context, GenerationRequest wanted)
    {
        var logits = new float[_vocabulary];
        // The last token is read again for its logits where the whole context is shared.
        var shared = sharePrefixes ? Math.Min(held.AsSpan(0, trunk.Length).CommonPrefixLength(context), context.Length - 1) : 0;
        trunk.Truncate(shared);
        trunk.Read(context.AsSpan(shared), logits, cancellation);
        _read += context.Length - shared;
        var text = trunk.Fork();
        text.Memory = answers;
        return new GeneratedText(request, text, wanted, model, logits, context.Length);
    }

    /// <summary>Texts go on side by side, a token a step, until the last one ends.</summary>
    private void Continue(List<GeneratedText> texts)
    {
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
            _read += active.Count;
            for (var i = 0; i < active.Count; i++)
                active[i].Choose(logits.AsSpan(i * _vocabulary, _vocabulary));
        }
    }

    private void Finish(int request, ScoringAnswer answer)
    {
        _given[request] = answer;
        answered?.Invoke(request, answer);
        progress?.Report(new ScoringProgress(++_done, requests.Count, _tokens, _read, _clock.Elapsed) { Longest = _longest });
    }
}

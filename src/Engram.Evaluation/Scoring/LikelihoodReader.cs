using System.Numerics.Tensors;
using Engram.Inference;
using Engram.Models.Memory;

namespace Engram.Evaluation.Scoring;

// Shape letters: V vocabulary

/// <summary>
/// Reads likelihood requests one after the other in one sequence, which is cut back to what the next one shares with the last: sorted by
/// their token ids, they have each prefix read once.
/// </summary>
/// <param name="model">Stays the caller's.</param>
/// <param name="prompts">The memory that tokens of prompts are read with; null adds nothing.</param>
/// <param name="answers">The memory that tokens of continuations and texts are read with.</param>
/// <param name="sharePrefixes">False reads every request from its first token.</param>
internal sealed class LikelihoodReader(IScoredModel model, MemoryBank? prompts, MemoryBank? answers, bool sharePrefixes) : IDisposable
{
    // Logits are asked for so many tokens at a time.
    private const int LogitRows = 64;

    private readonly IScoredSequence _sequence = model.Start(prompts);
    private readonly int _vocabulary = model.Configuration.VocabularySize;
    private readonly float[] _logits = new float[LogitRows * model.Configuration.VocabularySize];
    private readonly float[] _behindContext = new float[model.Configuration.VocabularySize];

    // Whose logits _behindContext holds: those behind the first so many tokens of the sequence; 0 for none.
    private int _contextLength;
    private EncodedRequest? _last;

    /// <summary>Tokens that the model has read.</summary>
    public long TokensRead { get; private set; }

    /// <summary>Reads what is new of a request and sums over its continuation.</summary>
    /// <param name="request">The next.</param>
    /// <param name="cancellation">Ends the reading of a long text.</param>
    /// <exception cref="InvalidDataException">The model's logits are not finite.</exception>
    public ScoringAnswer Score(EncodedRequest request, CancellationToken cancellation)
    {
        var (ids, first, shared) = (request.TokenIds, request.First, Shared(request));
        if (_contextLength > shared)
            _contextLength = 0;
        // Only the logits behind the last token of the context count, so it is read again if need be.
        var kept = shared >= first && _contextLength == first ? first : Math.Min(shared, first - 1);
        _sequence.Truncate(kept);
        _last = request;
        if (kept < first)
        {
            Read(kept, first, _behindContext, cancellation);
            _contextLength = first;
        }

        var (sum, greedy) = (0.0, true);
        Add(_behindContext, ids[first]);
        for (var from = first; from < ids.Length - 1; from += LogitRows)
        {
            var count = Math.Min(LogitRows, ids.Length - 1 - from);
            Read(from, from + count, _logits.AsSpan(0, count * _vocabulary), cancellation);
            for (var t = 0; t < count; t++)
                Add(_logits.AsSpan(t * _vocabulary, _vocabulary), ids[from + t + 1]);
        }

        TokensRead += _sequence.Length - kept;
        return new ScoringAnswer(sum, request.Count, greedy);

        void Add(ReadOnlySpan<float> logits, int token)
        {
            var logProbability = Likelihood.LogProbability(logits, token);
            if (double.IsNaN(logProbability))
                throw NotFinite.Error(TensorPrimitives.Max(logits));
            sum += logProbability;
            // One token that is not the likeliest settles it: the search takes as long as the probability.
            greedy = greedy && TensorPrimitives.IndexOfMax(logits) == token;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _sequence.Dispose();

    /// <summary>
    /// Tokens of the sequence that a request has as well, and reads alike: where prompts and answers differ in their memory, a token is
    /// shared only if it stands on the same side of both cuts.
    /// </summary>
    private int Shared(EncodedRequest request)
    {
        if (_last is null || !sharePrefixes)
            return 0;
        var shared = _last.TokenIds.AsSpan(0, _sequence.Length).CommonPrefixLength(request.TokenIds);
        return prompts == answers || _last.Prompt == request.Prompt ? shared : Math.Min(shared, Math.Min(_last.Prompt, request.Prompt));
    }

    /// <summary>Reads some tokens of the request at hand, those of its prompt with the memory of prompts.</summary>
    private void Read(int from, int to, Span<float> logits, CancellationToken cancellation)
    {
        var cut = Math.Clamp(_last!.Prompt, from, to);
        if (from < cut)
        {
            _sequence.Memory = prompts;
            _sequence.Read(_last.TokenIds.AsSpan(from..cut), cut == to ? logits : [], cancellation);
        }

        if (cut < to)
        {
            _sequence.Memory = answers;
            _sequence.Read(_last.TokenIds.AsSpan(cut..to), logits, cancellation);
        }
    }
}

using Engram.Models.Configuration;
using Engram.Tokenization;

namespace Engram.Evaluation.Scoring;

/// <summary>A likelihood request in token ids.</summary>
/// <param name="TokenIds">Context and continuation, cut on the left to the model's context.</param>
/// <param name="First">Index of the continuation's first token, at least 1.</param>
internal sealed record EncodedRequest(int[] TokenIds, int First)
{
    /// <summary>Tokens of the continuation.</summary>
    public int Count => TokenIds.Length - First;
}

/// <summary>
/// Text to token ids by lm-evaluation-harness's rules (<c>TemplateLM._encode_pair</c>, <c>loglikelihood</c>, <c>get_rolling_token_windows</c>): spaces at the end of a context
/// belong to the continuation; both are tokenised together and divided where the context alone ends; what is too long loses its beginning.
/// <para>
/// Here the token that stands before every document of the training data stands before every context as well (the harness's <c>add_bos_token</c>); it is the whole context where
/// a request has none. Where a token spans the cut so that nothing is left for the continuation, context and continuation are tokenised apart.
/// </para>
/// </summary>
internal sealed class RequestEncoder
{
    private readonly Tokenizer _tokenizer;
    private readonly int _context;

    /// <summary>An encoder for a model.</summary>
    /// <exception cref="InvalidDataException">The configuration names no start token.</exception>
    public RequestEncoder(Tokenizer tokenizer, ModelConfiguration configuration)
    {
        (_tokenizer, _context) = (tokenizer, configuration.MaxPositionEmbeddings);
        Start = configuration.StartTokenId ?? throw new InvalidDataException("config.json has neither bos_token_id nor eos_token_id: a text has no token to begin with. Add one.");
    }

    /// <summary>The token before every text.</summary>
    public int Start { get; }

    /// <summary>Context and continuation.</summary>
    /// <exception cref="InvalidDataException">There is nothing to score, or the continuation alone does not fit into the model's context.</exception>
    public EncodedRequest Encode(LikelihoodRequest request)
    {
        var end = request.Context.TrimEnd().Length;
        var (context, continuation) = (request.Context[..end], request.Context[end..] + request.Continuation);
        var contextIds = _tokenizer.Encode(context);
        var whole = _tokenizer.Encode(context + continuation);
        var continuationIds = whole.Length > contextIds.Length ? whole[contextIds.Length..] : _tokenizer.Encode(continuation);
        if (continuationIds.Length == 0)
            throw new InvalidDataException($"the continuation \"{Shown(request.Continuation)}\" has no tokens; there is nothing to score.");
        if (continuationIds.Length > _context)
            throw new InvalidDataException($"the continuation \"{Shown(request.Continuation)}\" has {continuationIds.Length} tokens, and the model's context holds {_context}.");
        int[] ids = [Start, .. contextIds, .. continuationIds];
        // The last token is never read, only scored.
        var cut = Math.Max(0, ids.Length - (_context + 1));
        return new EncodedRequest(ids[cut..], 1 + contextIds.Length - cut);
    }

    /// <summary>A context for generation, which leaves room for the answer.</summary>
    public int[] Encode(GenerationRequest request)
    {
        int[] ids = [Start, .. _tokenizer.Encode(request.Context)];
        var room = _context - request.MaxNewTokens;
        if (room < 1)
            throw new InvalidDataException($"{request.MaxNewTokens} new tokens leave no room in the model's context of {_context}.");
        return ids[Math.Max(0, ids.Length - room)..];
    }

    /// <summary>
    /// Windows of a whole text: each token is scored once. The first begins with the start token; each later one is as long as the context, so that the tokens of a short last window
    /// have those before them as context (<c>get_rolling_token_windows</c> with a context of one, <c>make_disjoint_window</c>).
    /// </summary>
    public IEnumerable<EncodedRequest> Encode(RollingRequest request)
    {
        var ids = _tokenizer.Encode(request.Text);
        for (var from = 0; from < ids.Length; from += _context)
        {
            var end = Math.Min(ids.Length, from + _context);
            if (from == 0)
                yield return new EncodedRequest([Start, .. ids[..end]], 1);
            else
                yield return new EncodedRequest(ids[(end - _context - 1)..end], _context + 1 - (end - from));
        }
    }

    private static string Shown(string text) => text.Length <= 60 ? text : text[..60] + "…";
}

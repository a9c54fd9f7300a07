using Engram.Models.Configuration;
using Engram.Tokenization;

namespace Engram.Evaluation.Scoring;

/// <summary>A likelihood request in token ids.</summary>
/// <param name="TokenIds">Context and continuation, cut on the left to the model's context.</param>
/// <param name="First">Index of the first token that is scored, at least 1.</param>
/// <param name="Prompt">
/// Tokens at the beginning that belong to the prompt; fewer than First where a window begins in the middle of a continuation or text.
/// </param>
/// <param name="Lost">Tokens of the prompt that stand before the window and are never read.</param>
internal sealed record EncodedRequest(int[] TokenIds, int First, int Prompt, int Lost)
{
    /// <summary>Tokens that are scored.</summary>
    public int Count => TokenIds.Length - First;
}

/// <summary>
/// Text to token ids by lm-evaluation-harness's rules (<c>TemplateLM._encode_pair</c>, <c>loglikelihood</c>,
/// <c>get_rolling_token_windows</c>):
/// spaces at the end of a context
/// belong to the continuation; both are tokenised together and divided where the context alone ends; what is too long loses its beginning.
/// <para>
/// Here the token that stands before every document of the training data stands before every context as well (the harness's
/// <c>add_bos_token</c>); it
/// is the whole context where
/// a request has none. Where a token spans the cut so that nothing is left for the continuation, context and continuation are tokenised
/// apart (the
/// harness scores nothing there).
/// A continuation that is longer than the model's context is scored in windows, as a whole text is (the harness refuses it).
/// </para>
/// </summary>
internal sealed class RequestEncoder
{
    private readonly Tokenizer _tokenizer;
    private readonly int _context;
    private string? _lastContext;
    private int[] _lastIds = [];

    /// <summary>An encoder for a model.</summary>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="configuration">Of the model.</param>
    /// <param name="maxLength">Most tokens of a text; null for the model's context.</param>
    /// <exception cref="ArgumentException"><paramref name="maxLength"/> is longer than the context, or less than 2.</exception>
    /// <exception cref="InvalidDataException">The configuration names no start token.</exception>
    public RequestEncoder(Tokenizer tokenizer, ModelConfiguration configuration, int? maxLength = null)
    {
        if (maxLength < 2 || maxLength > configuration.MaxPositionEmbeddings)
            throw new ArgumentException(
                $"The longest text must have 2 to {configuration.MaxPositionEmbeddings} tokens, the model's context, not {maxLength}.",
                nameof(maxLength)
            );
        (_tokenizer, _context) = (tokenizer, maxLength ?? configuration.MaxPositionEmbeddings);
        Start =
            configuration.StartTokenId
            ?? throw new InvalidDataException(
                "config.json has neither bos_token_id nor eos_token_id: a text has no token to begin with. Add one."
            );
    }

    /// <summary>The token before every text.</summary>
    public int Start { get; }

    /// <summary>Context and continuation: one window, or several where the continuation alone is longer than the model's context.</summary>
    /// <exception cref="InvalidDataException">There is nothing to score.</exception>
    public IEnumerable<EncodedRequest> Encode(LikelihoodRequest request)
    {
        var end = request.Context.TrimEnd().Length;
        var continuation = request.Context[end..] + request.Continuation;
        var contextIds = ContextIds(request.Context, end);
        var whole = _tokenizer.Encode(request.Context[..end] + continuation);
        var continuationIds = whole.Length > contextIds.Length ? whole[contextIds.Length..] : _tokenizer.Encode(continuation);
        return continuationIds.Length > 0
            ? Windows([Start, .. contextIds, .. continuationIds], 1 + contextIds.Length)
            : throw new InvalidDataException(
                $"the continuation \"{Shown(request.Continuation)}\" has no tokens; there is nothing to score."
            );
    }

    /// <summary>
    /// A whole text: each token is scored once. The first window begins with the start token; each later one is as long as the context, so
    /// that the
    /// tokens of a short last window
    /// have those before them as context (<c>get_rolling_token_windows</c> with a context of one, <c>make_disjoint_window</c>).
    /// </summary>
    public IEnumerable<EncodedRequest> Encode(RollingRequest request) => Windows([Start, .. _tokenizer.Encode(request.Text)], 1);

    /// <summary>A context for generation, which leaves room for the answer, and how many tokens it has lost for it.</summary>
    public (int[] TokenIds, int Lost) Encode(GenerationRequest request)
    {
        int[] ids = [Start, .. _tokenizer.Encode(request.Context)];
        var lost = Math.Max(0, ids.Length - (_context - NewTokens(request)));
        return (ids[lost..], lost);
    }

    /// <summary>Most tokens of an answer: those asked for, but at most half of the model's context.</summary>
    public int NewTokens(GenerationRequest request) => Math.Min(request.MaxNewTokens, _context / 2);

    /// <summary>Windows that score the tokens from one on; the last token of a window is scored and never read.</summary>
    private IEnumerable<EncodedRequest> Windows(int[] ids, int first)
    {
        for (var from = first; from < ids.Length; from += _context)
        {
            var end = Math.Min(ids.Length, from + _context);
            var begin = Math.Max(0, end - _context - 1);
            yield return new EncodedRequest(ids[begin..end], from - begin, Math.Max(0, first - begin), from == first ? begin : 0);
        }
    }

    /// <summary>Ids of a context without the space at its end; the options of a question have one context.</summary>
    private int[] ContextIds(string context, int end)
    {
        if (!ReferenceEquals(context, _lastContext))
            (_lastContext, _lastIds) = (context, _tokenizer.Encode(context.AsSpan(0, end)));
        return _lastIds;
    }

    private static string Shown(string text) => text.Length <= 60 ? text : text[..60] + "…";
}

using System.Collections.Frozen;
using Engram.Addressing;
using Engram.Models.Configuration;

namespace Engram.Models.Sequences;

/// <summary>
/// What token ids say about a sequence: where documents begin, which positions are dead, and how far back a position may look because of
/// it. Training, scoring, generation and inspection all ask here. Immutable.
/// </summary>
public sealed class DocumentRule
{
    private readonly FrozenSet<int> _dead;
    private readonly bool _memoryBeginsAnew;

    /// <summary>The rule of a model.</summary>
    public DocumentRule(ModelConfiguration configuration)
        : this(configuration.Engram, configuration.StartTokenId) { }

    internal DocumentRule(EngramConfiguration? engram, int? startToken)
    {
        (StartToken, _memoryBeginsAnew) = (startToken, engram?.ResetAtDocuments ?? true);
        _dead = (engram?.DeadTokenIds ?? []).ToFrozenSet();
    }

    /// <summary>The token that begins every document, or null.</summary>
    public int? StartToken { get; }

    /// <summary>The same for whoever reads a text, which stands behind it as every document does.</summary>
    /// <exception cref="InvalidOperationException">The configuration names neither a start token nor an end token.</exception>
    public int StartOfText =>
        StartToken
        ?? throw new InvalidOperationException(
            "config.json names neither bos_token_id nor eos_token_id, so that no token can stand before a text: name the one that "
                + "training put before every document."
        );

    /// <summary>
    /// Whether a document begins at this token: it is the start token, as in prepared data, where every document consists of the start
    /// token and its text. The first token of a sequence begins one, too, whatever it is.
    /// </summary>
    public bool StartsDocument(int tokenId) => tokenId == StartToken;

    /// <summary>Whether the memory takes no part at this token.</summary>
    public bool IsDead(int tokenId) => _dead.Count > 0 && _dead.Contains(tokenId);

    /// <summary>Whether the memory begins anew where a document does.</summary>
    public bool MemoryBegins(bool startsDocument) => _memoryBeginsAnew && startsDocument;

    /// <summary>True at each token that starts a document.</summary>
    public bool[] Starts(ReadOnlySpan<int> tokenIds)
    {
        var starts = new bool[tokenIds.Length];
        for (var i = 0; i < starts.Length; i++)
            starts[i] = StartsDocument(tokenIds[i]);
        return starts;
    }

    /// <summary>The age of a token as the memory counts it (<see cref="Lookback"/>).</summary>
    /// <param name="previous">Age of the token before.</param>
    /// <param name="tokenId">The token.</param>
    /// <param name="startsDocument">Whether a document begins there.</param>
    public int Age(int previous, int tokenId, bool startsDocument) => Lookback.Age(previous, IsDead(tokenId), MemoryBegins(startsDocument));

    /// <summary>
    /// For every position of B whole sequences of equal length, row-major [B, T]: its age (how many positions before it the memory may look
    /// back to, −1 at a dead one) and the position of its document's first token, counted from 0 in each sequence.
    /// </summary>
    /// <param name="tokenIds">Row-major [B, T].</param>
    /// <param name="documentStarts">True at the first token of each document, [B, T]; empty when every sequence is one document.</param>
    /// <param name="sequences">B, a divisor of the number of ids.</param>
    public (int[] Ages, int[] Documents) Places(ReadOnlySpan<int> tokenIds, ReadOnlySpan<bool> documentStarts, int sequences)
    {
        var (ages, documents) = (new int[tokenIds.Length], new int[tokenIds.Length]);
        var length = tokenIds.Length / sequences;
        for (var b = 0; b < sequences; b++)
        {
            var (age, document) = (Lookback.Nothing, 0);
            for (var t = 0; t < length; t++)
            {
                var at = b * length + t;
                var starts = documentStarts.Length > 0 && documentStarts[at];
                (ages[at], documents[at]) = (age, document) = (Age(age, tokenIds[at], starts), starts ? t : document);
            }
        }

        return (ages, documents);
    }
}

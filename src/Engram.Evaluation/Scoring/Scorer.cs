using Engram.Models.Memory;
using Engram.Tokenization;

namespace Engram.Evaluation.Scoring;

/// <summary>
/// Answers the requests of tasks. Likelihoods are read in the order of their token ids by one sequence that is cut back to what the next
/// request shares with the last: the prompt of a question's options and the examples before many questions are read once. Texts are
/// generated side by side, forked from such a sequence.
/// </summary>
/// <param name="model">Stays the caller's.</param>
/// <param name="memory">The memory to read: the model's own or a control; null adds nothing.</param>
/// <param name="sharePrefixes">False reads every request from its first token.</param>
/// <param name="together">Texts generated side by side: enough to read each weight for several tokens.</param>
/// <param name="answers">
/// A control of the memory to read the tokens of continuations, texts and generated answers with; null: prompts and answers are read alike.
/// The first token of an answer is foreseen by the last of its prompt, so that it depends on the memory of prompts.
/// </param>
/// <param name="maxLength">Most tokens of a text, at most the model's context; null for that.</param>
public sealed class Scorer(
    IScoredModel model,
    MemoryBank? memory,
    bool sharePrefixes = true,
    int together = Scorer.Together,
    MemoryBank? answers = null,
    int? maxLength = null
)
{
    /// <summary>Texts generated side by side unless told.</summary>
    public const int Together = 16;

    private readonly RequestEncoder _encoder = new(model.Tokenizer, model.Configuration, maxLength);
    private readonly MemoryBank? _answers =
        answers is null ? memory
        : memory is not null ? answers
        : throw new ArgumentException("Answers are read with a control of the memory of prompts; prompts have none.", nameof(answers));

    /// <summary>The model's.</summary>
    internal Tokenizer Tokenizer => model.Tokenizer;

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
    ) => new ScoringRun(model, _encoder, memory, _answers, sharePrefixes, requests, progress, answered, cancellation).Answers(together);
}

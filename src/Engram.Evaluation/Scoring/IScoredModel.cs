using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tokenization;

namespace Engram.Evaluation.Scoring;

// Shape letters: B sequences   T new tokens of each   V vocabulary

/// <summary>What the scorer needs of a model; the managed engine and the one on libtorch both give it.</summary>
public interface IScoredModel : IDisposable
{
    /// <summary>What the model is.</summary>
    ModelConfiguration Configuration { get; }

    /// <summary>Text to token ids and back.</summary>
    Tokenizer Tokenizer { get; }

    /// <summary>Its memory, or null.</summary>
    MemoryBank? Memory { get; }

    /// <summary>A sequence before its first token.</summary>
    /// <param name="memory">The memory to read: the model's own or a control; null adds nothing.</param>
    IScoredSequence Start(MemoryBank? memory);

    /// <summary>Reads one more token of B sequences that may stand at different positions.</summary>
    /// <param name="sequences">B sequences of this model that are read with the same memory.</param>
    /// <param name="tokenIds">The next id of each [B].</param>
    /// <param name="logits">Receives the logits behind each [B, V].</param>
    void Step(IReadOnlyList<IScoredSequence> sequences, ReadOnlySpan<int> tokenIds, Span<float> logits);
}

/// <summary>A text while a model reads it.</summary>
public interface IScoredSequence : IDisposable
{
    /// <summary>Tokens read.</summary>
    int Length { get; }

    /// <summary>
    /// The memory that the next tokens are read with. It may be exchanged for a control of it in the middle of a text: what was read stays
    /// as
    /// it was read.
    /// </summary>
    MemoryBank? Memory { get; set; }

    /// <summary>An independent sequence after the same tokens.</summary>
    IScoredSequence Fork();

    /// <summary>Forgets all tokens from a position on.</summary>
    /// <param name="length">Tokens that stay.</param>
    void Truncate(int length);

    /// <summary>Reads the next T tokens.</summary>
    /// <param name="tokenIds">Their ids [T].</param>
    /// <param name="logits">Receives the logits behind the last [V], behind every one [T, V], or none if empty.</param>
    /// <param name="cancellation">Ends the call between pieces of a long text.</param>
    void Read(ReadOnlySpan<int> tokenIds, Span<float> logits, CancellationToken cancellation);
}

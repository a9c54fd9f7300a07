using Engram.Inference;
using Engram.Inference.Sequences;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tokenization;

namespace Engram.Evaluation.Scoring;

/// <summary>The managed engine as a scored model.</summary>
/// <param name="model">Becomes this object's own, which disposes of it: whoever opened it does not.</param>
public sealed class ManagedModel(EngramModel model) : IScoredModel
{
    /// <inheritdoc/>
    public ModelConfiguration Configuration => model.Configuration;

    /// <inheritdoc/>
    public Tokenizer Tokenizer => model.Tokenizer;

    /// <inheritdoc/>
    public MemoryBank? Memory => model.Memory;

    /// <inheritdoc/>
    public IScoredSequence Start(MemoryBank? memory) => new Text(model, model.NewSequence(memory));

    /// <inheritdoc/>
    public void Step(IReadOnlyList<IScoredSequence> sequences, ReadOnlySpan<int> tokenIds, Span<float> logits) =>
        model.Read([.. sequences.Select(sequence => ((Text)sequence).Sequence)], tokenIds, logits);

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();

    private sealed class Text(EngramModel model, Sequence sequence) : IScoredSequence
    {
        public Sequence Sequence => sequence;

        public int Length => sequence.Length;

        public MemoryBank? Memory
        {
            get => sequence.Memory;
            set => sequence.Memory = value;
        }

        public IScoredSequence Fork() => new Text(model, sequence.Fork());

        public void Truncate(int length) => sequence.Truncate(length);

        public void Read(ReadOnlySpan<int> tokenIds, Span<float> logits, CancellationToken cancellation) =>
            model.Read(sequence, tokenIds, logits, cancellation);

        public void Dispose() { }
    }
}

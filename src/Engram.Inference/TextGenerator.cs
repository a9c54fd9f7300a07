using Engram.Inference.Sequences;
using Engram.Models.Memory;
using Engram.Models.Sampling;

namespace Engram.Inference;

/// <summary>Continues a text token by token in managed code.</summary>
/// <param name="model">Stays the caller's.</param>
public sealed class TextGenerator(EngramModel model) : TextGeneration(model.Configuration, model.Tokenizer)
{
    /// <inheritdoc/>
    protected override Text Begin(MemoryBank? memory) => new SequenceText(model, memory);

    private sealed class SequenceText(EngramModel model, MemoryBank? memory) : Text
    {
        private readonly Sequence _sequence = model.NewSequence(memory);

        public override void Read(int[] ids, float[] logits, CancellationToken cancellation) =>
            model.Read(_sequence, ids, logits, cancellation);
    }
}

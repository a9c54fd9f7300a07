using System.Runtime.InteropServices;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tokenization;
using Engram.Torch;
using Engram.Torch.Sequences;
using static TorchSharp.torch;

namespace Engram.Evaluation.Scoring;

/// <summary>The engine on libtorch as a scored model.</summary>
/// <param name="model">Becomes this object's own, which disposes of it: whoever opened it does not.</param>
public sealed class TorchModel(LanguageModel model) : IScoredModel
{
    // A long text is read in pieces, so that activations stay small.
    private const int Piece = 1024;

    /// <inheritdoc/>
    public ModelConfiguration Configuration => model.Configuration;

    /// <inheritdoc/>
    public Tokenizer Tokenizer => model.Tokenizer;

    /// <inheritdoc/>
    public MemoryBank? Memory => model.Memory;

    /// <inheritdoc/>
    public IScoredSequence Start(MemoryBank? memory) => new Text(model, model.Transformer.NewState(), memory);

    /// <inheritdoc/>
    public void Step(IReadOnlyList<IScoredSequence> sequences, ReadOnlySpan<int> tokenIds, Span<float> logits)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var hidden = model.Continue([.. sequences.Select(sequence => ((Text)sequence).State)], tokenIds, sequences[0].Memory);
        Copy(model.Transformer.Logits(hidden), logits);
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();

    private static void Copy(Tensor values, Span<float> target)
    {
        var host = values.to(ScalarType.Float32).cpu().contiguous();
        MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(target);
    }

    private sealed class Text(LanguageModel model, SequenceState state, MemoryBank? memory) : IScoredSequence
    {
        public SequenceState State => state;

        public MemoryBank? Memory { get; set; } = memory;

        public int Length => state.Length;

        public IScoredSequence Fork() => new Text(model, state.Fork(), Memory);

        public void Truncate(int length) => state.Truncate(length);

        public void Read(ReadOnlySpan<int> tokenIds, Span<float> logits, CancellationToken cancellation)
        {
            using var inference = inference_mode();
            var vocabulary = model.Configuration.VocabularySize;
            var everyToken = logits.Length == (long)tokenIds.Length * vocabulary;
            for (var from = 0; from < tokenIds.Length; from += Piece)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var count = Math.Min(Piece, tokenIds.Length - from);
                var hidden = model.Continue([state], tokenIds.Slice(from, count), Memory);
                if (everyToken)
                    Copy(model.Transformer.Logits(hidden), logits.Slice(from * vocabulary, count * vocabulary));
                else if (!logits.IsEmpty && from + count == tokenIds.Length)
                    Copy(model.Transformer.Logits(hidden.narrow(0, count - 1, 1)), logits);
            }
        }

        public void Dispose() => state.Dispose();
    }
}

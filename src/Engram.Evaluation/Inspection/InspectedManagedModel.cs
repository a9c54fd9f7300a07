using Engram.Inference;
using Engram.Inference.Taps;
using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Tokenization;

namespace Engram.Evaluation.Inspection;

/// <summary>The managed engine as an inspected model.</summary>
/// <param name="model">Stays the caller's.</param>
public sealed class InspectedManagedModel(EngramModel model) : IInspectedModel
{
    // The logits of so many tokens are kept at once.
    private const int Piece = 64;

    /// <inheritdoc/>
    public ModelConfiguration Configuration => model.Configuration;

    /// <inheritdoc/>
    public Tokenizer Tokenizer => model.Tokenizer;

    /// <inheritdoc/>
    public MemoryBank? Memory => model.Memory;

    /// <inheritdoc/>
    public IReadOnlyList<MemoryReading> Read(int[] ids, MemoryBank memory)
    {
        var tap = new MemoryTap();
        model.Read(model.NewSequence(memory), ids, [], tap);
        return
        [
            .. tap.Layers.Select(layer => new MemoryReading(
                layer.Memory.ToArray(),
                layer.HiddenIn.ToArray(),
                layer.Gate.ToArray(),
                layer.Output.ToArray()
            )),
        ];
    }

    /// <inheritdoc/>
    public float[] Losses(int[] ids, MemoryBank memory, int? closedStream)
    {
        var sequence = model.NewSequence(memory);
        sequence.ClosedStream = closedStream;
        var (losses, vocabulary) = (new float[ids.Length - 1], model.Configuration.VocabularySize);
        var logits = new float[Piece * vocabulary];
        for (var from = 0; from < losses.Length; from += Piece)
        {
            var count = Math.Min(Piece, losses.Length - from);
            model.Read(sequence, ids.AsSpan(from, count), logits.AsSpan(0, count * vocabulary));
            for (var t = 0; t < count; t++)
                losses[from + t] = (float)-Likelihood.LogProbability(logits.AsSpan(t * vocabulary, vocabulary), ids[from + t + 1]);
        }

        return losses;
    }
}

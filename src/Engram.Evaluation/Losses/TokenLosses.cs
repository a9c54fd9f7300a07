using Engram.Models.Memory;
using Engram.Torch;
using static TorchSharp.torch;

namespace Engram.Evaluation.Losses;

/// <summary>
/// The loss of each token of a text, read piece by piece: memory grows with a piece times the text, not with the square of the text.
/// </summary>
internal static class TokenLosses
{
    private const int Piece = 512;

    /// <summary>−log p of tokens after everything before them, in nats.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ids">The text, at most the model's context.</param>
    /// <param name="from">The first token whose loss is wanted, at least 1: nothing is before the first.</param>
    /// <param name="memory">The memory to read; null adds nothing.</param>
    /// <param name="cancellation">Ends the reading between two pieces.</param>
    /// <returns>Losses of ids[from], ids[from + 1], …</returns>
    public static double[] Of(LanguageModel model, int[] ids, int from, MemoryBank? memory, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(from, 1);
        var losses = new double[Math.Max(0, ids.Length - from)];
        using var inference = inference_mode();
        using var state = model.Transformer.NewState();
        // The last token predicts nothing that is wanted.
        for (var start = 0; start < ids.Length - 1; start += Piece)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var read = Math.Min(Piece, ids.Length - 1 - start);
            var hidden_TD = model.Continue([state], ids.AsSpan(start, read), memory);
            // Position t predicts token t + 1.
            var skip = Math.Clamp(from - 1 - start, 0, read);
            if (skip == read)
                continue;
            var targets = ids[(start + skip + 1)..(start + read + 1)];
            model.Transformer.Losses(hidden_TD.narrow(0, skip, read - skip), targets).CopyTo(losses.AsSpan(start + skip + 1 - from));
        }
        return losses;
    }
}

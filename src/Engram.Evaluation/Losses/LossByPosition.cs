using Engram.Models.Memory;
using Engram.Torch;
using static TorchSharp.torch;

namespace Engram.Evaluation.Losses;

/// <summary>The loss of the tokens at some positions of a sequence.</summary>
/// <param name="First">Tokens that the first of them had before it, from 0.</param>
/// <param name="Positions">How many positions these are.</param>
/// <param name="Nats">Mean cross-entropy per token, in nats.</param>
/// <param name="StandardError">Of the mean, from the spread between sequences; NaN for a single sequence.</param>
/// <param name="Tokens">Predicted tokens.</param>
public sealed record PositionLoss(int First, int Positions, double Nats, double StandardError, long Tokens);

/// <summary>
/// How the loss depends on how much text a token has before it, up to the limit of a model's context and from where training ended.
/// Sequences are read whole, in memory that grows with their length alone.
/// </summary>
public static class LossByPosition
{
    /// <summary>Measures the loss.</summary>
    /// <param name="model">The model.</param>
    /// <param name="text">Sequences of its tokens, longer than a validation's or as long.</param>
    /// <param name="bins">Parts of equal length that the positions are divided into; at most as many as there are positions.</param>
    /// <param name="memory">What is read: the model's own memory or a control; nothing if null.</param>
    /// <param name="progress">Told after every batch how many sequences were read.</param>
    /// <param name="cancellation">Ends the measurement between two batches.</param>
    /// <exception cref="ArgumentException">The sequences are longer than the model's context.</exception>
    public static IReadOnlyList<PositionLoss> Measure(
        LanguageModel model,
        EvaluationText text,
        int bins,
        MemoryBank? memory,
        IProgress<int>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ValidationLoss.RequireContext(model.Configuration, text.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        bins = Math.Min(bins, text.Length);
        var sums = new List<double[]>(); // of each sequence, by bin
        using var inference = inference_mode();
        foreach (var batch in text.Batches(ValidationLoss.SequencesPerBatch(text.Length)))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var gathered = memory is null ? null : model.GatherMemory(batch.Inputs, batch.DocumentStarts, batch.Sequences, memory);
            var (hidden, _) = model.Transformer.Forward(batch.Inputs, batch.DocumentStarts, batch.Sequences, gathered);
            var losses = model.Transformer.Losses(hidden, batch.Targets);
            for (var sequence = 0; sequence < batch.Sequences; sequence++)
                sums.Add(Sums(losses.AsSpan(sequence * text.Length, text.Length), bins));
            progress?.Report(sums.Count);
        }

        return [.. Enumerable.Range(0, bins).Select(bin => Of(sums, bin, Edge(bin, bins, text.Length), Edge(bin + 1, bins, text.Length)))];
    }

    private static int Edge(int bin, int bins, int length) => (int)((long)bin * length / bins);

    private static double[] Sums(ReadOnlySpan<double> losses, int bins)
    {
        var sums = new double[bins];
        for (var bin = 0; bin < bins; bin++)
            foreach (var loss in losses[Edge(bin, bins, losses.Length)..Edge(bin + 1, bins, losses.Length)])
                sums[bin] += loss;
        return sums;
    }

    private static PositionLoss Of(List<double[]> sums, int bin, int first, int end)
    {
        var (count, width) = (sums.Count, end - first);
        var mean = sums.Sum(sum => sum[bin]) / count / width;
        var variance = count > 1 ? sums.Sum(sum => Math.Pow(sum[bin] / width - mean, 2)) / (count - 1) : double.NaN;
        return new PositionLoss(first, width, mean, Math.Sqrt(variance / count), (long)count * width);
    }
}

using Engram.Corpora;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Studies.Measures;

/// <summary>
/// LogitLens (Engram paper, section 6.1): what the read-out makes of the residual streams behind each layer, and how far that is from the final distribution. The
/// direction of the published divergence is not stated; here it is KL(final ‖ lens), in nats, the mean over validation tokens.
/// </summary>
internal static class LogitLens
{
    private const int Sequences = 64, Batch = 4;

    /// <summary>The row that comes last: the mean over the layers below the last one.</summary>
    public const string Last = "lens_kl_mean";

    /// <summary>A row for each layer, counted from 1, and their mean; the last layer's is 0 by definition and left out.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        using var inference = inference_mode();
        var layers = run.Run.Configuration.NumHiddenLayers;
        var (sums, tokens) = (new double[layers - 1], 0L);
        using var taps = new ForwardTaps { StreamLayers = [.. Enumerable.Range(0, layers - 1)] };
        foreach (var batch in new ValidationBatches(run.Corpus, Sequences, Batch, run.Run.Options.Length))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var model = run.Model;
            using var gathered = model.Memory is null ? null : model.GatherMemory(batch.Inputs, batch.DocumentStarts, batch.Sequences);
            var (hidden, _) = model.Transformer.Forward(batch.Inputs, batch.DocumentStarts, batch.Sequences, gathered, taps: taps);
            var final = nn.functional.log_softmax(model.Transformer.Logits(hidden), -1);
            for (var layer = 0; layer < layers - 1; layer++)
            {
                using var inner = NewDisposeScope();
                var lens = nn.functional.log_softmax(model.Transformer.Logits(model.Transformer.Hidden(taps.Streams(layer))), -1);
                sums[layer] += final.exp().mul(final.sub(lens)).sum().item<float>();
            }
            tokens += batch.Targets.Length;
        }
        return [.. sums.Select((sum, layer) => ($"lens_kl_{layer + 1}", sum / tokens)), (Last, sums.Sum() / tokens / sums.Length)];
    }
}

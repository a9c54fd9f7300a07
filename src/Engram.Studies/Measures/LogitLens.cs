using Engram.Evaluation.Layers;

namespace Engram.Studies.Measures;

/// <summary>
/// How far each layer's read-out is from the model's own (Engram paper, section 6.1). The direction of the published divergence is not
/// stated; here it is KL(final ‖ layer), in nats, the mean over validation tokens.
/// </summary>
internal static class LogitLens
{
    private const int Sequences = 64;

    /// <summary>The row that comes last: the mean over the layers below the last one.</summary>
    public const string Last = "lens_kl_mean";

    /// <summary>A row for each layer, counted from 1, and their mean; the last layer's is 0 by definition and left out.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        var texts = SampledTokens.Of(run.Corpus, Sequences, run.Run.Options.Length);
        var layers = Evaluation
            .Layers.LogitLens.Measure(run.Model, run.Model.Memory, texts, cancellation: cancellation)
            .Layers.SkipLast(1)
            .ToList();
        return
        [
            .. layers.Select(layer => ($"lens_kl_{layer.Layer + 1}", layer.FinalToLayer)),
            (Last, layers.Average(layer => layer.FinalToLayer)),
        ];
    }
}

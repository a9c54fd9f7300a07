using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch;
using Engram.Torch.Native;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Evaluation.Layers;

// Shape letters: N positions   V vocabulary

/// <summary>How far the read-out of one layer is from the model's own, mean over positions.</summary>
/// <param name="Layer">0-based; its states are those behind it.</param>
/// <param name="FinalToLayer">KL(final ‖ layer), nats.</param>
/// <param name="LayerToFinal">KL(layer ‖ final), nats.</param>
/// <param name="Top1Agreement">Share of positions whose most likely token is the same, 0 … 1.</param>
public sealed record LensLayer(int Layer, double FinalToLayer, double LayerToFinal, double Top1Agreement);

/// <summary>What the lens saw.</summary>
/// <param name="Layers">One entry per layer; the last is the model's own read-out.</param>
/// <param name="MergedByMean">
/// The same with the streams merged by their mean, for a model whose own merge is learnt; null for others.
/// </param>
/// <param name="Positions">Positions that were looked at.</param>
public sealed record LensReading(IReadOnlyList<LensLayer> Layers, IReadOnlyList<LensLayer>? MergedByMean, long Positions);

/// <summary>
/// The logit lens: every layer's hidden state, streams merged as the model merges its last ones, through the final norm and the read-out
/// (Engram paper, section 6.1, figure 4a). p_ℓ = softmax(W · norm(h_ℓ)), against p of the last layer.
/// </summary>
public static class LogitLens
{
    private const int LogitsAtATime = 1 << 22;

    /// <summary>Looks at a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="memory">What is read; nothing if null.</param>
    /// <param name="texts">What the model reads.</param>
    /// <param name="markedOnly">Whether only the sampled positions count, not all.</param>
    /// <param name="cancellation">Ends it between two texts.</param>
    /// <exception cref="ArgumentException">There is no position to look at.</exception>
    public static LensReading Measure(
        LanguageModel model,
        MemoryBank? memory,
        IEnumerable<SampledTokens> texts,
        bool markedOnly = false,
        CancellationToken cancellation = default
    )
    {
        var layers = model.Configuration.NumHiddenLayers;
        var learnt = model.Configuration.HcExit == StreamExit.Head;
        var (own, mean, positions) = (new Sums[layers], new Sums[layers], 0L);
        using var inference = inference_mode();
        using var taps = new ForwardTaps { StreamLayers = [.. Enumerable.Range(0, layers)] };
        foreach (var text in texts)
        {
            cancellation.ThrowIfCancellationRequested();
            var looked = markedOnly ? text.Positions.Length : text.Ids.Length;
            if (looked == 0)
                continue;
            positions += looked;
            using var scope = NewDisposeScope();
            using var gathered = memory is null ? null : model.GatherMemory(text.Ids, text.DocumentStarts, 1, memory);
            var chosen = markedOnly ? tensor(text.Positions, ScalarType.Int64, model.Transformer.Parameters.Device) : null;
            var hidden = Chosen(model.Transformer.Forward(text.Ids, text.DocumentStarts, 1, gathered, taps: taps).Hidden);
            for (var layer = 0; layer < layers; layer++)
            {
                own[layer].Add(model, hidden, Chosen(model.Transformer.Hidden(taps.Streams(layer))));
                if (learnt)
                    mean[layer].Add(model, hidden, Chosen(model.Transformer.HiddenOfMean(taps.Streams(layer))));
            }

            Tensor Chosen(Tensor states) => chosen is null ? states : states.index_select(0, chosen);
        }

        return positions > 0
            ? new LensReading([.. own.Select(Entry)], learnt ? [.. mean.Select(Entry)] : null, positions)
            : throw new ArgumentException("There is no position to look at.", nameof(texts));

        LensLayer Entry(Sums sums, int layer) =>
            new(layer, sums.Forward / positions, sums.Reverse / positions, sums.Agreeing / (double)positions);
    }

    /// <summary>Sums over positions of KL(final ‖ layer), of KL(layer ‖ final), and of agreements about the most likely token.</summary>
    /// <param name="final">Logits of the model [N, V].</param>
    /// <param name="layer">Logits of a layer [N, V].</param>
    internal static (double Forward, double Reverse, long Agreeing) Compare(Tensor final, Tensor layer)
    {
        using var scope = NewDisposeScope();
        var (p, q) = (final.to(ScalarType.Float32).log_softmax(-1), layer.to(ScalarType.Float32).log_softmax(-1));
        var difference = p.Plus(q.neg());
        var forward = (p.exp() * difference).sum(-1, type: ScalarType.Float64).sum();
        var reverse = (q.exp() * difference.neg()).sum(-1, type: ScalarType.Float64).sum();
        return (forward.Value(), reverse.Value(), p.argmax(-1).eq(q.argmax(-1)).sum().cpu().item<long>());
    }

    private struct Sums
    {
        public double Forward;
        public double Reverse;
        public long Agreeing;

        /// <summary>Adds states [N, D], in pieces whose logits are not too many at once.</summary>
        public void Add(LanguageModel model, Tensor final, Tensor layer)
        {
            var piece = Math.Max(1, LogitsAtATime / model.Configuration.VocabularySize);
            for (var from = 0L; from < final.size(0); from += piece)
            {
                using var scope = NewDisposeScope();
                var count = Math.Min(piece, final.size(0) - from);
                var (forward, reverse, agreeing) = Compare(
                    model.Transformer.Logits(final.narrow(0, from, count)),
                    model.Transformer.Logits(layer.narrow(0, from, count))
                );
                (Forward, Reverse, Agreeing) = (Forward + forward, Reverse + reverse, Agreeing + agreeing);
            }
        }
    }
}

using Engram.Models.Memory;
using Engram.Torch;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Evaluation.Layers;

// Shape letters: L layers   P samples of a text   n of a minibatch   D width

/// <summary>How the layers of two models resemble each other.</summary>
/// <param name="Similarity">CKA, [layers of the first, layers of the second].</param>
/// <param name="Aligned">
/// For every layer of the second model, the layer of the first that it resembles (<see cref="SoftAlignment"/>).
/// </param>
/// <param name="Samples">Places whose states were compared.</param>
public sealed record LayerSimilarity(double[,] Similarity, double[] Aligned, long Samples);

/// <summary>A model and the memory it reads with; nothing is read if it is null.</summary>
/// <param name="Model">The model.</param>
/// <param name="Memory">Its own memory, or a control.</param>
public sealed record ReadModel(LanguageModel Model, MemoryBank? Memory);

/// <summary>
/// Compares the hidden states behind all layers of two models at the same places of the same texts; the residual streams of a layer are
/// merged by their mean.
/// </summary>
public static class LayerComparison
{
    /// <summary>Samples of one minibatch unless said otherwise.</summary>
    public const int DefaultMinibatch = 256;

    /// <summary>Compares two models.</summary>
    /// <param name="first">Whose layers are the rows.</param>
    /// <param name="second">Whose layers are the columns.</param>
    /// <param name="texts">
    /// The same texts for both, each as the model reads them (<see cref="SampledTokens.Of(LanguageModel, IEnumerable{MarkedText})"/>).
    /// </param>
    /// <param name="minibatch">Samples of one minibatch, at least 4.</param>
    /// <param name="cancellation">Ends it between two texts.</param>
    /// <exception cref="ArgumentException">There are fewer than four samples.</exception>
    public static LayerSimilarity Compare(
        ReadModel first,
        ReadModel second,
        IEnumerable<(SampledTokens First, SampledTokens Second)> texts,
        int minibatch = DefaultMinibatch,
        CancellationToken cancellation = default
    )
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(minibatch, CenteredKernelAlignment.LeastSamples);
        var (rows, columns) = (first.Model.Configuration.NumHiddenLayers, second.Model.Configuration.NumHiddenLayers);
        var alignment = new CenteredKernelAlignment(rows, columns);
        using var inference = inference_mode();
        using var waiting = new Waiting();
        foreach (var (one, other) in texts)
        {
            cancellation.ThrowIfCancellationRequested();
            // What was cut off in one of them is compared in neither.
            var both = one.Samples.Intersect(other.Samples).ToHashSet();
            if (both.Count == 0)
                continue;
            waiting.Add(States(first, one, both), States(second, other, both), [.. both.Order()]);
            while (waiting.Count >= minibatch)
                waiting.MoveTo(alignment, minibatch);
        }

        if (waiting.Count >= CenteredKernelAlignment.LeastSamples)
            waiting.MoveTo(alignment, waiting.Count);
        if (alignment.Samples == 0)
            throw new ArgumentException(
                $"The texts hold fewer than {CenteredKernelAlignment.LeastSamples} places to compare.",
                nameof(texts)
            );
        var similarity = alignment.Values();
        return new LayerSimilarity(similarity, SoftAlignment.Of(similarity), alignment.Samples);
    }

    /// <summary>States [L, P, D] at the samples, float64 in host memory.</summary>
    private static Tensor States(ReadModel read, SampledTokens text, HashSet<long> samples)
    {
        var (model, layers) = (read.Model, read.Model.Configuration.NumHiddenLayers);
        using var scope = NewDisposeScope();
        using var taps = new ForwardTaps { StreamLayers = [.. Enumerable.Range(0, layers)] };
        using var gathered = read.Memory is null ? null : model.GatherMemory(text.Ids, text.DocumentStarts, 1, read.Memory);
        model.Transformer.Forward(text.Ids, text.DocumentStarts, 1, gathered, taps: taps);
        int[] positions =
        [
            .. text
                .Positions.Zip(text.Samples)
                .Where(place => samples.Contains(place.Second))
                .OrderBy(place => place.Second)
                .Select(place => place.First),
        ];
        var chosen = tensor(positions, ScalarType.Int64, model.Transformer.Parameters.Device);
        var states = Enumerable
            .Range(0, layers)
            .Select(layer => taps.Streams(layer).mean([2L]).squeeze(0).index_select(0, chosen))
            .ToArray();
        return stack(states).to(ScalarType.Float64).cpu().MoveToOuterDisposeScope();
    }

    /// <summary>Samples that no minibatch holds yet.</summary>
    private sealed class Waiting : IDisposable
    {
        private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
        private readonly List<long> _samples = [];
        private Tensor? _first;
        private Tensor? _second;

        public int Count => _samples.Count;

        public void Add(Tensor first, Tensor second, long[] samples)
        {
            (_first, _second) = (Joined(_first, first), Joined(_second, second));
            _samples.AddRange(samples);
        }

        public void MoveTo(CenteredKernelAlignment alignment, int count)
        {
            var samples = _samples.GetRange(0, count).ToArray();
            alignment.Add(_first!.narrow(1, 0, count), samples, _second!.narrow(1, 0, count), samples);
            (_first, _second) = (Rest(_first!, count), Rest(_second!, count));
            _samples.RemoveRange(0, count);
        }

        public void Dispose() => _scope.Dispose();

        private static Tensor Joined(Tensor? before, Tensor added)
        {
            if (before is null)
                return added;
            using (before)
            using (added)
                return cat([before, added], 1);
        }

        private static Tensor Rest(Tensor all, int count)
        {
            using (all)
                return all.narrow(1, count, all.size(1) - count).clone();
        }
    }
}

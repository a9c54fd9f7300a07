using Engram.Evaluation.Layers;
using Engram.Models.Memory;
using Engram.Models.Sequences;

namespace Engram.Evaluation.Inspection;

/// <summary>How far the gate of one stream in one memory layer opens over a text.</summary>
/// <param name="Layer">0-based block index.</param>
/// <param name="Stream">Residual stream, from 0.</param>
/// <param name="Counts">
/// Positions whose gate lies in each of equal parts of 0 … 1, the lowest part first; a gate of 1 belongs to the last.
/// </param>
/// <param name="Mean">Mean gate.</param>
public sealed record GateHistogram(int Layer, int Stream, long[] Counts, double Mean)
{
    /// <summary>Parts unless said otherwise.</summary>
    public const int DefaultBins = 20;

    /// <summary>Counts the gates of every memory layer and stream. Dead positions, which have none, are left out.</summary>
    /// <param name="model">The model.</param>
    /// <param name="memory">The memory to read: the model's own or a control.</param>
    /// <param name="texts">What the model reads.</param>
    /// <param name="bins">Parts, at least 1.</param>
    /// <param name="cancellation">Ends it between two texts.</param>
    /// <exception cref="ArgumentException">There is no position with a gate.</exception>
    public static IReadOnlyList<GateHistogram> Measure(
        IInspectedModel model,
        MemoryBank memory,
        IEnumerable<SampledTokens> texts,
        int bins = DefaultBins,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        var streams = model.Configuration.FusedStreams;
        List<(int Layer, int Stream, long[] Counts)> histograms =
        [
            .. memory.LayerIds.SelectMany(layer => Enumerable.Range(0, streams).Select(stream => (layer, stream, new long[bins]))),
        ];
        var (sums, positions) = (new double[histograms.Count], 0L);
        var documents = new DocumentRule(model.Configuration);
        foreach (var text in texts)
        {
            cancellation.ThrowIfCancellationRequested();
            // What a start token says and the marks of prepared data are the same.
            var ages = documents.Places(text.Ids, documents.Starts(text.Ids), 1).Ages;
            positions += ages.Count(age => age >= 0);
            foreach (var (gates, index) in model.Read(text.Ids, memory).Select((seen, index) => (seen.Gate, index)))
                for (var i = 0; i < gates.Length; i++)
                {
                    if (ages[i / streams] < 0)
                        continue;
                    var of = (index * streams) + (i % streams);
                    histograms[of].Counts[Math.Min(bins - 1, (int)(gates[i] * bins))]++;
                    sums[of] += gates[i];
                }
        }

        return positions > 0
            ? [.. histograms.Select((entry, i) => new GateHistogram(entry.Layer, entry.Stream, entry.Counts, sums[i] / positions))]
            : throw new ArgumentException("The texts have no position with a gate.", nameof(texts));
    }
}

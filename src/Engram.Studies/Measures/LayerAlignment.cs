using Engram.Evaluation.Layers;

namespace Engram.Studies.Measures;

/// <summary>
/// Which layers of the study's reference the layers of a model resemble (Engram paper, section 6.1, Figure 4b): linear CKA of all pairs
/// over validation tokens, and the soft alignment that follows from it.
/// </summary>
internal static class LayerAlignment
{
    /// <summary>What the rows of pairs begin with: layer of the reference and of the model follow, counted from 1.</summary>
    public const string Prefix = "cka_";

    /// <summary>The row that comes last: how many layers of the reference the model is ahead, in the mean over its layers.</summary>
    public const string Last = "alignment_lead";

    private const int Sequences = 64;

    // The paper takes 5 of 30 layers; so large a share of few layers is one, and one is no mean.
    private const int Nearest = 2;

    /// <summary>A row for each pair of layers, for each layer's alignment, and for the mean lead.</summary>
    public static IEnumerable<(string Measure, double Value)> Take(MeasuredRun run, CancellationToken cancellation)
    {
        var texts = SampledTokens.Of(run.Corpus, Sequences, run.Run.Options.Length).Select(text => (text, text));
        var similarity = LayerComparison
            .Compare(
                new ReadModel(run.Reference, run.Reference.Memory),
                new ReadModel(run.Model, run.Model.Memory),
                texts,
                cancellation: cancellation
            )
            .Similarity;
        List<(string, double)> rows = [];
        for (var i = 0; i < similarity.GetLength(0); i++)
        for (var j = 0; j < similarity.GetLength(1); j++)
            rows.Add((FormattableString.Invariant($"{Prefix}{i + 1}_{j + 1}"), similarity[i, j]));
        var aligned = SoftAlignment.Of(similarity, Nearest);
        rows.AddRange(aligned.Select((layer, own) => (FormattableString.Invariant($"aligned_{own + 1}"), layer + 1)));
        rows.Add((Last, aligned.Select((layer, own) => layer - own).Average()));
        return rows;
    }
}

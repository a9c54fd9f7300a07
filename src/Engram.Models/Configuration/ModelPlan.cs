using System.Text.Json;

namespace Engram.Models.Configuration;

/// <summary>
/// What a model costs, computed from its configuration alone: parameters, sparse budget, arithmetic, bytes. Nothing is built or allocated.
/// </summary>
/// <remarks>
/// Conventions of the Engram paper: a total contains one vocabulary matrix, an active count none; the table values that a token reads are
/// active. Arithmetic counts two operations for each weight that multiplies, the output matrix included, plus attention over
/// <see cref="ContextLength"/> earlier tokens; look-ups, norms, gates and the mixing of streams are left out. Training is three times the
/// forward pass.
/// </remarks>
public sealed record ModelPlan
{
    /// <summary>Parameters with one vocabulary matrix: the printed size of a model.</summary>
    public required long TotalParameters { get; init; }

    /// <summary>Parameters without any vocabulary matrix.</summary>
    public required long TotalWithoutVocabulary { get; init; }

    /// <summary>Parameters with an embedding and an output matrix, whether or not they are tied.</summary>
    public required long TotalWithBoth { get; init; }

    /// <summary>Parameters that the built model holds: one vocabulary matrix if tied, otherwise two.</summary>
    public required long StoredParameters { get; init; }

    /// <summary>Parameters that one token touches, without vocabulary matrices.</summary>
    public required long ActiveParameters { get; init; }

    /// <summary>The same with one vocabulary matrix.</summary>
    public required long ActiveWithOne { get; init; }

    /// <summary>Total less active, both without vocabulary matrices (equation 7 of the paper).</summary>
    public required long SparseParameters { get; init; }

    /// <summary>Table values of all memory layers, with the real (prime) numbers of rows.</summary>
    public required long MemoryParameters { get; init; }

    /// <summary>
    /// Share ρ of the sparse budget that the routed experts hold, 0 … 1; null for a model without any. The budget is that of the
    /// mixture-of-experts model of equal size: the whole number of inactive experts per layer nearest to inactive experts plus memory.
    /// </summary>
    public required double? AllocationRatio { get; init; }

    /// <summary>Earlier tokens that attention is charged for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Operations of one forward pass of one token.</summary>
    public required long FlopsPerToken { get; init; }

    /// <summary>The part of <see cref="FlopsPerToken"/> that grows with the context: scores and weighted values.</summary>
    public required long AttentionFlopsPerToken { get; init; }

    /// <summary>Operations of one training step per token, forward and backward.</summary>
    public required long TrainingFlopsPerToken { get; init; }

    /// <summary>Numbers that the key-value cache keeps for one token: latent and rotated key of every layer.</summary>
    public required long KvCacheValuesPerToken { get; init; }

    /// <summary>Bytes of the key-value cache for one token in bfloat16.</summary>
    public required long KvCacheBytesPerToken { get; init; }

    /// <summary>Table values that one token reads.</summary>
    public required long MemoryValuesPerToken { get; init; }

    /// <summary>Rows of the table of each memory layer, in the order of the layers.</summary>
    public required IReadOnlyList<long> TableRows { get; init; }

    /// <summary>What the tables take in each number format; empty without memory.</summary>
    public required IReadOnlyList<RowFormatPlan> RowFormats { get; init; }

    /// <summary>The parameters by kind, without the vocabulary matrices.</summary>
    public required IReadOnlyList<PlanComponent> Components { get; init; }

    /// <summary>Counts a model.</summary>
    /// <param name="model">Its configuration.</param>
    /// <param name="contextLength">Earlier tokens that attention is charged for; the longest context unless given.</param>
    /// <exception cref="ArgumentException">
    /// The configuration is not valid, or the context length negative or beyond the model's.
    /// </exception>
    public static ModelPlan Of(ModelConfiguration model, int? contextLength = null)
    {
        model.Validated();
        int context = contextLength ?? model.MaxPositionEmbeddings;
        Bounds.Range("context length", context, 0, model.MaxPositionEmbeddings);
        IReadOnlyList<long> tableRows = model.Engram?.NumEmbeddings ?? [];
        IReadOnlyList<PlanComponent> components = PlanComponent.Of(model, tableRows);
        checked
        {
            long total = components.Sum(part => part.Parameters),
                active = components.Sum(part => part.ActiveParameters);
            long vocabulary = (long)model.VocabularySize * model.HiddenSize;
            long attention = 2L * model.NumHiddenLayers * model.NumAttentionHeads * (model.QkHeadDim + model.VHeadDim) * context;
            long forward = (2 * (components.Sum(part => part.MultiplyAdds) + vocabulary)) + attention;
            long cached = (long)model.NumHiddenLayers * (model.KvLoraRank + model.QkRopeHeadDim);
            long memory = tableRows.Sum() * (model.Engram?.HeadDim ?? 0);
            return new ModelPlan
            {
                TotalParameters = total + vocabulary,
                TotalWithoutVocabulary = total,
                TotalWithBoth = total + (2 * vocabulary),
                StoredParameters = total + (model.TieWordEmbeddings ? vocabulary : 2 * vocabulary),
                ActiveParameters = active,
                ActiveWithOne = active + vocabulary,
                SparseParameters = total - active,
                MemoryParameters = memory,
                AllocationRatio = Allocation(model, memory),
                ContextLength = context,
                FlopsPerToken = forward,
                AttentionFlopsPerToken = attention,
                TrainingFlopsPerToken = 3 * forward,
                KvCacheValuesPerToken = cached,
                KvCacheBytesPerToken = 2 * cached,
                MemoryValuesPerToken = model.Engram is { } engram ? (long)engram.LayerIds.Count * engram.MemoryWidth : 0,
                TableRows = tableRows,
                RowFormats = model.Engram is { } formats ? RowFormatPlan.Of(formats, tableRows) : [],
                Components = components,
            };
        }
    }

    /// <summary>The plan as JSON, the property names in snake case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, PlanJson.Default.ModelPlan);

    private static double? Allocation(ModelConfiguration model, long memory)
    {
        int inactive = model.MoeLayers > 0 ? model.NRoutedExperts - model.NumExpertsPerToken : 0;
        if (inactive == 0)
            return memory > 0 ? 0.0 : null;
        long expertsOfOneWidth = model.MoeLayers * PlanComponent.SwiGlu(model, model.MoeIntermediateSize);
        double budget = inactive + Math.Round((double)memory / expertsOfOneWidth, MidpointRounding.AwayFromZero);
        return 1.0 - (memory / (budget * expertsOfOneWidth));
    }
}

using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Addressing;
using Engram.Tokenization;
using Engram.Vocabulary;

namespace Engram.Models.Configuration;

/// <summary>
/// The memory of a model (Engram, arXiv 2601.07372, section 2): which layers read it, how its tables are laid out, how a read enters the
/// streams. Key names as published with DeepSeek-V4.1 where they exist there.
/// </summary>
public sealed record EngramConfiguration
{
    /// <summary>
    /// Layers that read the memory, 0-based block indices, ascending. The paper counts from 1: its [2, 15] is [1, 14] here.
    /// </summary>
    [JsonPropertyName("engram_layer_ids")]
    public required IReadOnlyList<int> LayerIds { get; init; }

    /// <summary>
    /// Shortest suffix, in tokens. 1 adds rows of single tokens; with <see cref="MaxNgramSize"/> 1 the table is one of tokens alone.
    /// </summary>
    [JsonPropertyName("engram_min_ngram_size")]
    public int MinNgramSize { get; init; } = 2;

    /// <summary>Longest suffix N, in tokens; the orders are 2 … N unless <see cref="MinNgramSize"/> says otherwise.</summary>
    [JsonPropertyName("engram_max_ngram_size")]
    public required int MaxNgramSize { get; init; }

    /// <summary>Hash heads per order, K; every (layer, order, head) has its own table segment.</summary>
    [JsonPropertyName("engram_n_heads")]
    public required int NHeads { get; init; }

    /// <summary>Width w of one row, in elements.</summary>
    [JsonPropertyName("engram_head_dim")]
    public required int HeadDim { get; init; }

    /// <summary>
    /// Nominal rows of one head's segment, where its prime search begins (or its base m, <see cref="Hash"/>); one entry per order from the
    /// smallest.
    /// </summary>
    [JsonPropertyName("engram_slots_per_order")]
    public required IReadOnlyList<long> SlotsPerOrder { get; init; }

    /// <summary>Token id whose canonical id fills a window beyond the start of a document.</summary>
    [JsonPropertyName("engram_pad_token_id")]
    public int PadTokenId { get; init; } = 2;

    /// <summary>
    /// Whether tokens whose text differs only in case, accents, form or white space share their n-grams (paper §2.2); if not, the map is
    /// the identity.
    /// </summary>
    [JsonPropertyName("engram_compress_vocabulary")]
    public bool CompressVocabulary { get; init; } = true;

    /// <summary>
    /// Canonical ids V′ of the tokenizer after vocabulary compression; 0 = not known yet, set when the model is created with its tokenizer.
    /// The hash multipliers depend on it, the number of rows does not.
    /// </summary>
    [JsonPropertyName("engram_compressed_vocab_size")]
    public int CompressedVocabularySize { get; init; }

    /// <summary>
    /// How n-grams become rows: the memory's own hash, or OverEncoding's polynomial codes, which want <see cref="CompressVocabulary"/>
    /// false.
    /// </summary>
    [JsonPropertyName("engram_hash")]
    public HashScheme Hash { get; init; }

    /// <summary>Base seed of the hash multipliers, not negative.</summary>
    [JsonPropertyName("engram_seed")]
    public long Seed { get; init; }

    /// <summary>
    /// What a read is fused with: every stream at the entry of the block, or one of the places of ablations and rival memories.
    /// </summary>
    [JsonPropertyName("engram_fusion")]
    public FusionPlace Fusion { get; init; }

    /// <summary>Gate between a read and the streams.</summary>
    [JsonPropertyName("engram_gate")]
    public EngramGate Gate { get; init; } = EngramGate.SignedSqrt;

    /// <summary>Whether the projections of keys and value have biases, as in the program of January 2026 alone. They start at 0.</summary>
    [JsonPropertyName("engram_projection_bias")]
    public bool ProjectionBias { get; init; }

    /// <summary>Taps of the short causal convolution after the gate; 0 = no convolution.</summary>
    [JsonPropertyName("engram_conv_kernel")]
    public int ConvKernel { get; init; } = 4;

    /// <summary>ε of the convolution's norm; larger than the backbone's because its input starts at exactly zero.</summary>
    internal const double ConvNormEpsilon = 1e-5;

    private readonly int? convDilation;

    /// <summary>Distance between the taps, in tokens; the largest order unless set.</summary>
    [JsonPropertyName("engram_conv_dilation")]
    public int ConvDilation
    {
        get => convDilation ?? MaxNgramSize;
        init => convDilation = value;
    }

    /// <summary>Whether n-gram windows and the convolution begin anew at the start of every packed document.</summary>
    [JsonPropertyName("engram_reset_at_documents")]
    public bool ResetAtDocuments { get; init; } = true;

    /// <summary>
    /// ε of the gate's norms; null = the backbone's <c>rms_norm_eps</c>, as DeepSeek-V4.1 has it. Never as small as 1e-20, which explodes
    /// on the zero keys of untrained rows.
    /// </summary>
    [JsonPropertyName("engram_norm_eps")]
    public double? NormEps { get; init; } = 1e-6;

    /// <summary>Standard deviation of the initial rows; 0 = all zero.</summary>
    [JsonPropertyName("engram_table_init_std")]
    public double TableInitStd { get; init; }

    /// <summary>What training does with the tables.</summary>
    [JsonPropertyName("engram_tables")]
    public EngramTables Tables { get; init; }

    /// <summary>
    /// Token ids of dead positions: placeholders of images, padding. They read no row, nothing is added to their streams, and n-gram
    /// windows and the convolution begin anew behind them.
    /// </summary>
    [JsonPropertyName("engram_dead_token_ids")]
    public IReadOnlyList<int> DeadTokenIds { get; init; } = [];

    /// <summary>The capacity-one control: every n-gram of a head reads the same single row.</summary>
    [JsonPropertyName("engram_one_row")]
    public bool OneRow { get; init; }

    /// <summary>Number of orders, N − 1 unless <see cref="MinNgramSize"/> says otherwise.</summary>
    [JsonIgnore]
    public int Orders => MaxNgramSize - MinNgramSize + 1;

    /// <summary>Rows that one token reads from one layer's table, (N − 1)·K.</summary>
    [JsonIgnore]
    public int RowsPerToken => Orders * NHeads;

    /// <summary>Width d_mem of what one token retrieves in one layer, (N − 1)·K·w.</summary>
    [JsonIgnore]
    public int MemoryWidth => RowsPerToken * HeadDim;

    /// <summary>Rows of the table of each memory layer: the sums of its primes, or one per head with <see cref="OneRow"/>.</summary>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    [JsonIgnore]
    public IReadOnlyList<long> NumEmbeddings =>
        OneRow
            ? [.. LayerIds.Select(_ => (long)RowsPerToken)]
            :
            [
                .. AddressingConstants
                    .Derive(Addressing(canonicalPadId: 0) with { CompressedVocabularySize = 1 })
                    .Layers.Select(layer => layer.TotalRows),
            ];

    /// <summary>The map from a tokenizer's ids to the ids whose n-grams are addressed.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <exception cref="PlatformNotSupportedException">
    /// The process cannot normalise Unicode text (globalization-invariant mode).
    /// </exception>
    public CanonicalMap CanonicalMapOf(Tokenizer tokenizer) =>
        CompressVocabulary ? CanonicalMap.Build(tokenizer) : CanonicalMap.Identity(tokenizer.VocabularySize);

    /// <summary>
    /// What decides the addresses of the memory; <see cref="CompressedVocabularySize"/> must be set before constants are derived from it.
    /// </summary>
    /// <param name="canonicalPadId">Canonical id of <see cref="PadTokenId"/>.</param>
    public AddressingSpec Addressing(int canonicalPadId) =>
        new()
        {
            CompressedVocabularySize = CompressedVocabularySize,
            Layers = [.. LayerIds],
            SlotsPerOrder = [.. SlotsPerOrder],
            HeadsPerOrder = NHeads,
            Seed = Seed,
            PadId = Hash == HashScheme.Polynomial ? 0 : canonicalPadId,
            MinOrder = MinNgramSize,
            Hash = Hash,
        };

    /// <summary>Most table segments (layers × orders × heads) of one model; every one needs a prime of its own.</summary>
    internal const int MostSegments = 1024;

    private const double LeastNormEps = 1e-12;

    internal void Check(ModelConfiguration model)
    {
        Bounds.Range("engram_min_ngram_size", MinNgramSize, 1, 8);
        Bounds.Range("engram_max_ngram_size", MaxNgramSize, MinNgramSize, 8);
        Bounds.Range("engram_n_heads", NHeads, 1, 256);
        Bounds.Range("engram_head_dim", HeadDim, 1, 8192);
        Bounds.That(LayerIds.Count > 0, "engram_layer_ids", "empty", "name a layer, or remove the engram_ keys for a model without memory");
        Bounds.That(
            LayerIds.Count * (long)RowsPerToken <= MostSegments,
            "engram_layer_ids",
            $"a list of {LayerIds.Count}",
            $"layers times orders times heads must not exceed {MostSegments}"
        );
        foreach (int layer in LayerIds)
            Bounds.Range("engram_layer_ids", layer, 0, model.NumHiddenLayers - 1);
        for (int i = 1; i < LayerIds.Count; i++)
            Bounds.That(
                LayerIds[i] > LayerIds[i - 1],
                "engram_layer_ids",
                $"a list with {LayerIds[i]} after {LayerIds[i - 1]}",
                "name each layer once, lowest first"
            );
        Bounds.That(
            SlotsPerOrder.Count == Orders,
            "engram_slots_per_order",
            $"a list of {SlotsPerOrder.Count}",
            $"orders {MinNgramSize} to {MaxNgramSize} need {Orders} entries"
        );
        foreach (long slots in SlotsPerOrder)
            Bounds.Range("engram_slots_per_order", slots, 2, int.MaxValue);
        Bounds.Range("engram_pad_token_id", PadTokenId, 0, model.VocabularySize - 1);
        Bounds.Range("engram_compressed_vocab_size", CompressedVocabularySize, 0, model.VocabularySize);
        Bounds.Range("engram_seed", Seed, 0, long.MaxValue >> 1);
        Bounds.That(Enum.IsDefined(Hash), "engram_hash", Hash, "use multiplicative_xor or polynomial");
        Bounds.That(Enum.IsDefined(Fusion), "engram_fusion", Fusion, "use streams, mixture, values or input");
        Bounds.That(
            Fusion != FusionPlace.Mixture || model.HcMult > 1,
            "engram_fusion",
            "mixture",
            "a single stream is no mixture: raise hc_mult, or leave the key out"
        );
        Bounds.That(Enum.IsDefined(Gate), "engram_gate", Gate, "use signed_sqrt, copysign_sqrt, sigmoid or none");
        Bounds.Range("engram_conv_kernel", ConvKernel, 0, 64);
        if (Fusion is FusionPlace.Values or FusionPlace.Input)
        {
            Bounds.That(
                Gate == EngramGate.None,
                "engram_gate",
                Gate,
                "a memory that does not enter the residual streams has no query: use none"
            );
            Bounds.That(
                ConvKernel == 0,
                "engram_conv_kernel",
                ConvKernel,
                "a memory that does not enter the residual streams has no convolution: use 0"
            );
        }
        Bounds.That(
            Fusion != FusionPlace.Input || LayerIds is [0],
            "engram_layer_ids",
            $"a list of {LayerIds.Count}",
            "what joins the input embedding is one table of layer 0: use [0]"
        );
        Bounds.Range("engram_conv_dilation", ConvDilation, 1, 1024);
        if (NormEps is { } epsilon)
            Bounds.Range("engram_norm_eps", epsilon, LeastNormEps, 0.1);
        else
            Bounds.That(
                model.RmsNormEps >= LeastNormEps,
                "engram_norm_eps",
                "null",
                FormattableString.Invariant(
                    $"rms_norm_eps, {model.RmsNormEps}, is too small to stand in for it: name a number of at least {LeastNormEps}"
                )
            );
        Bounds.Range("engram_table_init_std", TableInitStd, 0.0, 100.0);
        Bounds.That(Enum.IsDefined(Tables), "engram_tables", Tables, "use trained or frozen");
        Bounds.That(
            Tables == EngramTables.Trained || TableInitStd > 0,
            "engram_table_init_std",
            TableInitStd,
            "frozen tables of zeros would never add anything: make it greater"
        );
        foreach (int id in DeadTokenIds)
            Bounds.Range("engram_dead_token_ids", id, 0, model.VocabularySize - 1);
    }

    /// <summary>Equality of every value, lists by their elements.</summary>
    public bool Equals(EngramConfiguration? other) => other is not null && Serialized() == other.Serialized();

    /// <inheritdoc/>
    public override int GetHashCode() => Serialized().GetHashCode(StringComparison.Ordinal);

    private string Serialized() => JsonSerializer.Serialize(this, ConfigurationJson.Default.EngramConfiguration);
}

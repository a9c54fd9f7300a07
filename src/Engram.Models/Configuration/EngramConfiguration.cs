using System.Text.Json;
using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>
/// The memory of a model (Engram, arXiv 2601.07372, section 2): which layers read it, how its tables are laid out, how a read enters the streams.
/// Key names as published with DeepSeek-V4.1 where they exist there.
/// </summary>
public sealed record EngramConfiguration
{
    /// <summary>Layers that read the memory, 0-based block indices, ascending. The paper counts from 1: its [2, 15] is [1, 14] here.</summary>
    [JsonPropertyName("engram_layer_ids")]
    public required IReadOnlyList<int> LayerIds { get; init; }

    /// <summary>Longest suffix N, in tokens; the orders are 2 … N.</summary>
    [JsonPropertyName("engram_max_ngram_size")]
    public required int MaxNgramSize { get; init; }

    /// <summary>Hash heads per order, K; every (layer, order, head) has its own table segment.</summary>
    [JsonPropertyName("engram_n_heads")]
    public required int NHeads { get; init; }

    /// <summary>Width w of one row, in elements.</summary>
    [JsonPropertyName("engram_head_dim")]
    public required int HeadDim { get; init; }

    /// <summary>Nominal rows of one head's segment for the orders 2 … N, where its prime search begins; N − 1 entries.</summary>
    [JsonPropertyName("engram_slots_per_order")]
    public required IReadOnlyList<long> SlotsPerOrder { get; init; }

    /// <summary>Token id whose canonical id fills a window beyond the start of a document.</summary>
    [JsonPropertyName("engram_pad_token_id")]
    public int PadTokenId { get; init; } = 2;

    /// <summary>
    /// Canonical ids V′ of the tokenizer after vocabulary compression; 0 = not known yet, set when the model is created with its tokenizer.
    /// The hash multipliers depend on it, the number of rows does not.
    /// </summary>
    [JsonPropertyName("engram_compressed_vocab_size")]
    public int CompressedVocabularySize { get; init; }

    /// <summary>Base seed of the hash multipliers, not negative.</summary>
    [JsonPropertyName("engram_seed")]
    public long Seed { get; init; }

    /// <summary>Gate between a read and the streams.</summary>
    [JsonPropertyName("engram_gate")]
    public EngramGate Gate { get; init; } = EngramGate.SignedSqrt;

    /// <summary>Taps of the short causal convolution after the gate; 0 = no convolution.</summary>
    [JsonPropertyName("engram_conv_kernel")]
    public int ConvKernel { get; init; } = 4;

    private readonly int? convDilation;

    /// <summary>Distance between the taps, in tokens; the largest order unless set.</summary>
    [JsonPropertyName("engram_conv_dilation")]
    public int ConvDilation { get => convDilation ?? MaxNgramSize; init => convDilation = value; }

    /// <summary>Whether n-gram windows and the convolution begin anew at the start of every packed document.</summary>
    [JsonPropertyName("engram_reset_at_documents")]
    public bool ResetAtDocuments { get; init; } = true;

    /// <summary>ε of the gate's norms; never the backbone's 1e-20, which explodes on the zero keys of untrained rows.</summary>
    [JsonPropertyName("engram_norm_eps")]
    public double NormEps { get; init; } = 1e-6;

    /// <summary>Standard deviation of the initial rows; 0 = all zero.</summary>
    [JsonPropertyName("engram_table_init_std")]
    public double TableInitStd { get; init; }

    /// <summary>The capacity-one control: every n-gram of a head reads the same single row.</summary>
    [JsonPropertyName("engram_one_row")]
    public bool OneRow { get; init; }

    /// <summary>Number of orders, N − 1.</summary>
    [JsonIgnore]
    public int Orders => MaxNgramSize - 1;

    /// <summary>Rows that one token reads from one layer's table, (N − 1)·K.</summary>
    [JsonIgnore]
    public int RowsPerToken => Orders * NHeads;

    /// <summary>Width d_mem of what one token retrieves in one layer, (N − 1)·K·w.</summary>
    [JsonIgnore]
    public int MemoryWidth => RowsPerToken * HeadDim;

    /// <summary>Equality of every value, lists by their elements.</summary>
    public bool Equals(EngramConfiguration? other) => other is not null && Serialized() == other.Serialized();

    /// <inheritdoc/>
    public override int GetHashCode() => Serialized().GetHashCode(StringComparison.Ordinal);

    private string Serialized() => JsonSerializer.Serialize(this, ConfigurationJson.Default.EngramConfiguration);
}

using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>
/// The complete shape of a model, and at the same time its <c>config.json</c>: Hugging Face names as DeepSeek-V3 uses them, <c>hc_*</c> as
/// DeepSeek-V4, <c>engram_*</c> for the memory. A model is dense, mixture-of-experts or Engram by these values alone. All sizes are counts
/// of elements. <c>docs/configuration.md</c> lists every key with its default and source.
/// </summary>
public sealed partial record ModelConfiguration
{
    /// <summary>Rows of the embedding and of the output matrix, V; at least the number of ids of the tokenizer.</summary>
    [JsonPropertyName("vocab_size")]
    public required int VocabularySize { get; init; }

    /// <summary>Width of one residual stream, d.</summary>
    [JsonPropertyName("hidden_size")]
    public required int HiddenSize { get; init; }

    /// <summary>Inner width F of the SwiGLU of a dense layer; unused where every layer has routed experts.</summary>
    [JsonPropertyName("intermediate_size")]
    public int IntermediateSize { get; init; }

    /// <summary>Inner width E of one routed expert; unused in a dense model.</summary>
    [JsonPropertyName("moe_intermediate_size")]
    public int MoeIntermediateSize { get; init; }

    /// <summary>Number of transformer blocks, L.</summary>
    [JsonPropertyName("num_hidden_layers")]
    public required int NumHiddenLayers { get; init; }

    /// <summary>Number of attention heads, H.</summary>
    [JsonPropertyName("num_attention_heads")]
    public required int NumAttentionHeads { get; init; }

    /// <summary>Shared experts that every token passes through, N_s; together they are one SwiGLU. 0 = none.</summary>
    [JsonPropertyName("n_shared_experts")]
    public int NSharedExperts { get; init; }

    /// <summary>
    /// Width of the shared SwiGLU where it is not <c>NSharedExperts * MoeIntermediateSize</c>: small models pay the projections of the
    /// memory from it. Null = the product. See <see cref="SharedExpertWidth"/>.
    /// </summary>
    [JsonPropertyName("shared_expert_intermediate_size")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? SharedExpertIntermediateSize { get; init; }

    /// <summary>Routed experts of one layer, N_r; 0 = a dense model.</summary>
    [JsonPropertyName("n_routed_experts")]
    public int NRoutedExperts { get; init; }

    /// <summary>Routed experts that one token passes through, K.</summary>
    [JsonPropertyName("num_experts_per_tok")]
    public int NumExpertsPerToken { get; init; }

    /// <summary>Groups into which the routed experts are divided for selection; 1 = no groups.</summary>
    [JsonPropertyName("n_group")]
    public int NGroup { get; init; } = 1;

    /// <summary>Groups from which a token may choose, 1 … <see cref="NGroup"/>.</summary>
    [JsonPropertyName("topk_group")]
    public int TopkGroup { get; init; } = 1;

    /// <summary>Function from router logits to scores.</summary>
    [JsonPropertyName("scoring_func")]
    public ScoringFunction ScoringFunction { get; init; } = ScoringFunction.Sigmoid;

    /// <summary>Whether the scores of the chosen experts are divided by their sum.</summary>
    [JsonPropertyName("norm_topk_prob")]
    public bool NormTopkProb { get; init; } = true;

    /// <summary>Factor on the gates of the routed experts, κ.</summary>
    [JsonPropertyName("routed_scaling_factor")]
    public double RoutedScalingFactor { get; init; } = 1.0;

    /// <summary>Step γ of the balancing bias per update (loss-free balancing, arXiv 2408.15664); 0 = the bias stays.</summary>
    [JsonPropertyName("router_bias_update_speed")]
    public double RouterBiasUpdateSpeed { get; init; } = 0.001;

    /// <summary>Weight α of the sequence-wise balancing loss (DeepSeek-V3); 0 = no such loss.</summary>
    [JsonPropertyName("aux_loss_alpha")]
    public double SequenceAuxiliaryLossAlpha { get; init; }

    /// <summary>Leading layers that stay dense in a mixture-of-experts model.</summary>
    [JsonPropertyName("first_k_dense_replace")]
    public int FirstKDenseReplace { get; init; }

    /// <summary>Rank r_q of the query projection; null = one full-rank matrix.</summary>
    [JsonPropertyName("q_lora_rank")]
    public int? QLoraRank { get; init; }

    /// <summary>Rank r_kv of the latent that holds keys and values.</summary>
    [JsonPropertyName("kv_lora_rank")]
    public required int KvLoraRank { get; init; }

    /// <summary>Width d_n of the part of a query or key head without rotation.</summary>
    [JsonPropertyName("qk_nope_head_dim")]
    public required int QkNopeHeadDim { get; init; }

    /// <summary>Width d_r of the rotated part of a query head and of the one rotated key shared by all heads; even.</summary>
    [JsonPropertyName("qk_rope_head_dim")]
    public required int QkRopeHeadDim { get; init; }

    /// <summary>Width d_v of a value head.</summary>
    [JsonPropertyName("v_head_dim")]
    public required int VHeadDim { get; init; }

    /// <summary>Base θ of the rotary frequencies.</summary>
    [JsonPropertyName("rope_theta")]
    public double RopeTheta { get; init; } = 10000.0;

    /// <summary>YaRN extension of the context; null = none.</summary>
    [JsonPropertyName("rope_scaling")]
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>Longest sequence, in tokens.</summary>
    [JsonPropertyName("max_position_embeddings")]
    public int MaxPositionEmbeddings { get; init; } = 4096;

    /// <summary>ε of every RMSNorm of the backbone, and of the hyper-connections; the memory has its own.</summary>
    [JsonPropertyName("rms_norm_eps")]
    public double RmsNormEps { get; init; } = 1e-6;

    /// <summary>Standard deviation of the normal distribution from which matrices start.</summary>
    [JsonPropertyName("initializer_range")]
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Whether the output matrix is the embedding matrix.</summary>
    [JsonPropertyName("tie_word_embeddings")]
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Factor on the input embedding: tied matrices want about sqrt(d) on the input side.</summary>
    [JsonPropertyName("embedding_scale")]
    public double EmbeddingScale { get; init; } = 1.0;

    /// <summary>Id that begins a document, or null.</summary>
    [JsonPropertyName("bos_token_id")]
    public int? BosTokenId { get; init; }

    /// <summary>Id that ends a document, or null.</summary>
    [JsonPropertyName("eos_token_id")]
    public int? EosTokenId { get; init; }

    /// <summary>
    /// Id that stands before every document: <see cref="BosTokenId"/>, or <see cref="EosTokenId"/> where there is none; null where there is
    /// neither.
    /// </summary>
    [JsonIgnore]
    public int? StartTokenId => BosTokenId ?? EosTokenId;

    /// <summary>
    /// Id that ends a text: <see cref="EosTokenId"/>, or <see cref="BosTokenId"/>, which begins the next one; null where there is neither.
    /// </summary>
    [JsonIgnore]
    public int? EndTokenId => EosTokenId ?? BosTokenId;

    /// <summary>Id that fills batches, or null.</summary>
    [JsonPropertyName("pad_token_id")]
    public int? PadTokenId { get; init; }

    /// <summary>Residual streams n; 1 = the plain residual connection, more = hyper-connections.</summary>
    [JsonPropertyName("hc_mult")]
    public int HcMult { get; init; } = 1;

    /// <summary>
    /// Whether hyper-connections are constrained to the manifold of (nearly) doubly stochastic mixing (arXiv 2512.24880); if not, nothing
    /// bounds their weights (arXiv 2409.19606).
    /// </summary>
    [JsonPropertyName("hc_constrained")]
    public bool HcConstrained { get; init; } = true;

    /// <summary>How the streams become one behind the last block.</summary>
    [JsonPropertyName("hc_exit")]
    public StreamExit HcExit { get; init; }

    /// <summary>
    /// Rounds of the Sinkhorn normalisation of the stream mixing matrix; unused where hyper-connections are not constrained.
    /// </summary>
    [JsonPropertyName("hc_sinkhorn_iters")]
    public int HcSinkhornIters { get; init; } = 20;

    /// <summary>ε of the Sinkhorn normalisation and of the read weights of the streams.</summary>
    [JsonPropertyName("hc_eps")]
    public double HcEps { get; init; } = 1e-6;

    /// <summary>Whether attention in packed training sequences stays within a document.</summary>
    [JsonPropertyName("attention_document_mask")]
    public bool AttentionDocumentMask { get; init; }

    /// <summary>
    /// The memory, or null for a model without one. In <c>config.json</c> its keys lie beside the others, prefixed <c>engram_</c>.
    /// </summary>
    [JsonPropertyName("engram")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EngramConfiguration? Engram { get; init; }

    /// <summary>Kind of residual connection; follows from <see cref="HcMult"/> and <see cref="HcConstrained"/>.</summary>
    [JsonIgnore]
    public ResidualConnection Residual =>
        HcMult == 1 ? ResidualConnection.Plain
        : HcConstrained ? ResidualConnection.Mhc
        : ResidualConnection.Hc;

    /// <summary>
    /// Standard deviation from which the last matrix of each sub-layer starts. Unconstrained hyper-connections write its output to all n
    /// streams with weight 1: divided by √n, their sum keeps its size (arXiv 2409.19606).
    /// </summary>
    [JsonIgnore]
    public double OutputInitializerRange => Residual == ResidualConnection.Hc ? InitializerRange / Math.Sqrt(HcMult) : InitializerRange;

    /// <summary>
    /// Streams that a memory read is fused with, each with a key of its own: all, or the one thing that it joins elsewhere.
    /// </summary>
    [JsonIgnore]
    public int FusedStreams => Engram is { Fusion: not FusionPlace.Streams } ? 1 : HcMult;

    /// <summary>Width of what a memory read is fused with: of a stream, or of the values of all attention heads.</summary>
    [JsonIgnore]
    public int FusedWidth => Engram?.Fusion == FusionPlace.Values ? NumAttentionHeads * VHeadDim : HiddenSize;

    /// <summary>
    /// Factor on the token's row of the input embedding: <see cref="EmbeddingScale"/>, divided by 1 + H where the memory's H projected rows
    /// join it (<see cref="FusionPlace.Input"/>), so that the sum is a mean.
    /// </summary>
    [JsonIgnore]
    public double InputScale =>
        Engram is { Fusion: FusionPlace.Input } memory ? EmbeddingScale / (1 + memory.RowsPerToken) : EmbeddingScale;

    /// <summary>Width of the shared SwiGLU of a layer with routed experts; 0 = none.</summary>
    [JsonIgnore]
    public int SharedExpertWidth => SharedExpertIntermediateSize ?? checked(NSharedExperts * MoeIntermediateSize);

    /// <summary>Width of one query or key head, d_n + d_r.</summary>
    [JsonIgnore]
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    /// <summary>Layers whose feed-forward part is a mixture of experts.</summary>
    [JsonIgnore]
    public int MoeLayers => NRoutedExperts == 0 ? 0 : Math.Max(0, NumHiddenLayers - FirstKDenseReplace);

    /// <summary>Whether the feed-forward part of a layer is a mixture of experts.</summary>
    /// <param name="layer">0-based layer index.</param>
    public bool IsMoeLayer(int layer) => NRoutedExperts > 0 && layer >= FirstKDenseReplace;

    /// <summary>Whether a layer begins with a memory read.</summary>
    /// <param name="layer">0-based layer index.</param>
    public bool HasMemory(int layer) => Engram is not null && Engram.LayerIds.Contains(layer);
}

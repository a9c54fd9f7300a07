namespace Engram.Models.Configuration;

public sealed partial record ModelConfiguration
{
    /// <summary>Checks every value and the relations between them.</summary>
    /// <returns>This configuration.</returns>
    /// <exception cref="ArgumentException">A value is out of its range; the message names the key, the value and what to do.</exception>
    /// <remarks>
    /// The ranges keep every count of <see cref="ModelPlan"/> below 2^62, so that nothing is allocated or overflows for a hostile file.
    /// </remarks>
    public ModelConfiguration Validated()
    {
        Bounds.Range("vocab_size", VocabularySize, 1, 1 << 29);
        Bounds.Range("hidden_size", HiddenSize, 1, 1 << 16);
        Bounds.Range("num_hidden_layers", NumHiddenLayers, 1, 1024);
        Bounds.Range("num_attention_heads", NumAttentionHeads, 1, 1024);
        Bounds.Range("kv_lora_rank", KvLoraRank, 1, 1 << 16);
        if (QLoraRank is { } rank)
            Bounds.Range("q_lora_rank", rank, 1, 1 << 16);
        Bounds.Range("qk_nope_head_dim", QkNopeHeadDim, 1, 8192);
        Bounds.Range("qk_rope_head_dim", QkRopeHeadDim, 2, 8192);
        Bounds.That(QkRopeHeadDim % 2 == 0, "qk_rope_head_dim", QkRopeHeadDim, "rotation works on pairs: make it even");
        Bounds.Range("v_head_dim", VHeadDim, 1, 8192);
        Bounds.Range("max_position_embeddings", MaxPositionEmbeddings, 1, 1 << 24);
        Bounds.Range("rope_theta", RopeTheta, 1.0, 1e12);
        Bounds.Range("rms_norm_eps", RmsNormEps, 1e-30, 0.1);
        Bounds.Range("initializer_range", InitializerRange, 0.0, 10.0);
        Bounds.Range("embedding_scale", EmbeddingScale, 1e-6, 1e6);
        CheckTokenId("bos_token_id", BosTokenId);
        CheckTokenId("eos_token_id", EosTokenId);
        CheckTokenId("pad_token_id", PadTokenId);
        Bounds.Range("hc_mult", HcMult, 1, 16);
        Bounds.That(
            HcConstrained || HcMult > 1,
            "hc_constrained",
            "false",
            "a single stream has no hyper-connections: raise hc_mult, or leave the key out"
        );
        Bounds.That(Enum.IsDefined(HcExit), "hc_exit", HcExit, "use mean or head");
        Bounds.That(
            HcExit == StreamExit.Mean || HcMult > 1,
            "hc_exit",
            "head",
            "a single stream needs no weights: raise hc_mult, or leave the key out"
        );
        Bounds.Range("hc_sinkhorn_iters", HcSinkhornIters, 1, 1000);
        Bounds.Range("hc_eps", HcEps, 1e-12, 0.1);
        CheckFeedForward();
        RopeScaling?.Check();
        Engram?.Check(this);
        return this;
    }

    private void CheckFeedForward()
    {
        Bounds.Range("n_routed_experts", NRoutedExperts, 0, 4096);
        Bounds.Range("n_shared_experts", NSharedExperts, 0, 256);
        Bounds.Range("first_k_dense_replace", FirstKDenseReplace, 0, NumHiddenLayers);
        Bounds.Range("intermediate_size", IntermediateSize, MoeLayers < NumHiddenLayers ? 1 : 0, 1 << 20);
        Bounds.Range("moe_intermediate_size", MoeIntermediateSize, MoeLayers > 0 ? 1 : 0, 1 << 18);
        if (SharedExpertIntermediateSize is { } width)
            Bounds.Range("shared_expert_intermediate_size", width, 0, 1 << 20);
        Bounds.Range("router_bias_update_speed", RouterBiasUpdateSpeed, 0.0, 1.0);
        Bounds.Range("aux_loss_alpha", SequenceAuxiliaryLossAlpha, 0.0, 1000.0);
        Bounds.Range("routed_scaling_factor", RoutedScalingFactor, 1e-6, 1e6);
        Bounds.That(Enum.IsDefined(ScoringFunction), "scoring_func", ScoringFunction, "use sigmoid, softmax or sqrtsoftplus");
        if (MoeLayers == 0)
            return;
        Bounds.Range("num_experts_per_tok", NumExpertsPerToken, 1, NRoutedExperts);
        Bounds.Range("n_group", NGroup, 1, NRoutedExperts);
        Bounds.That(NRoutedExperts % NGroup == 0, "n_group", NGroup, $"it must divide n_routed_experts, {NRoutedExperts}");
        Bounds.Range("topk_group", TopkGroup, 1, NGroup);
        int perGroup = NRoutedExperts / NGroup;
        Bounds.That(
            NGroup == 1 || perGroup >= 2,
            "n_group",
            NGroup,
            "a group is judged by its two best experts: leave at least two in each"
        );
        Bounds.That(
            TopkGroup * perGroup >= NumExpertsPerToken,
            "topk_group",
            TopkGroup,
            $"the kept groups hold {TopkGroup * perGroup} experts, fewer than num_experts_per_tok, {NumExpertsPerToken}"
        );
    }

    private void CheckTokenId(string key, int? id)
    {
        if (id is { } value)
            Bounds.Range(key, value, 0, VocabularySize - 1);
    }
}

namespace Engram.Tests.Configuration;

/// <summary>Configuration files as other programs write them.</summary>
internal static class PublishedConfigurations
{
    /// <summary>The shape of DeepSeek-V3 with the keys of its published file.</summary>
    public static ReadOnlySpan<byte> DeepSeekV3 =>
        """
        {
          "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "torch_dtype": "bfloat16", "transformers_version": "4.33.1",
          "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048, "num_hidden_layers": 61,
          "num_attention_heads": 128, "num_key_value_heads": 128, "n_shared_experts": 1, "n_routed_experts": 256, "num_experts_per_tok": 8,
          "n_group": 8, "topk_group": 4, "topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": true, "routed_scaling_factor": 2.5,
          "first_k_dense_replace": 3, "moe_layer_freq": 1, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
          "v_head_dim": 128, "rope_theta": 10000, "max_position_embeddings": 163840, "rms_norm_eps": 1e-06, "initializer_range": 0.02,
          "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0},
          "attention_bias": false, "attention_dropout": 0.0, "hidden_act": "silu", "tie_word_embeddings": false, "num_nextn_predict_layers": 1,
          "aux_loss_alpha": 0.001, "seq_aux": true, "bos_token_id": 0, "eos_token_id": 1, "ep_size": 1, "pretraining_tp": 1, "use_cache": true,
          "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic"},
          "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV3Config"}
        }
        """u8;
}

using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Storage;

namespace Engram.Models.Gguf;

/// <summary>
/// Writes a model without memory and hyper-connections as a GGUF file of llama.cpp's architecture <c>deepseek2</c>. It holds token ids
/// only: text becomes ids, and ids text, by the model's own tokenizer.json.
/// </summary>
public static class GgufExport
{
    private const string Architecture = "deepseek2";

    /// <summary>
    /// Writes the file, whole or not at all. Weights keep their format; matrices in 8 or 4 bits get half precision scales.
    /// </summary>
    /// <param name="folder">A model folder.</param>
    /// <param name="path">The file; its folder exists.</param>
    /// <exception cref="InvalidDataException">
    /// The architecture has no place for something that the model has; the message names it. Or a file is damaged.
    /// </exception>
    /// <exception cref="FileNotFoundException">A file of the model is missing.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Export(string folder, string path)
    {
        var model = ModelFolder.Open(folder);
        RequireExpressible(model);
        using var weights = SafetensorsFile.Open(model.Weights);
        var writer = new GgufWriter();
        AddKeys(writer, model.Configuration);
        AddTensors(writer, weights, model.Configuration);
        writer.Write(path);
    }

    private static void RequireExpressible(ModelFolder model)
    {
        var c = model.Configuration;
        var obstacle =
            c.Engram is not null ? "a memory (engram_layer_ids)"
            : c.HcMult > 1 ? $"hyper-connections (hc_mult {c.HcMult})"
            : c.AttentionDocumentMask ? "attention within documents (attention_document_mask)"
            : c.NGroup > 1 ? $"expert groups (n_group {c.NGroup})"
            : c.ScoringFunction == ScoringFunction.SqrtSoftplus ? "a softplus router (scoring_func)"
            : c.RopeScaling is { } yarn && c.MaxPositionEmbeddings > yarn.OriginalMaxPositionEmbeddings
                ? "an extended context (rope_scaling)"
            : c.MoeLayers > 0 && (c.NSharedExperts == 0 || c.SharedExpertWidth != c.NSharedExperts * c.MoeIntermediateSize)
                ? "shared experts of another width than the routed ones"
            : null;
        if (obstacle is not null)
            throw new InvalidDataException(
                $"{model.Path} cannot be written as GGUF: llama.cpp's {Architecture} has no place for {obstacle}."
            );
    }

    private static void AddKeys(GgufWriter writer, ModelConfiguration c)
    {
        const string a = Architecture;
        writer.Add("general.architecture", a);
        writer.Add("general.alignment", 32);
        writer.Add($"{a}.vocab_size", c.VocabularySize);
        writer.Add($"{a}.context_length", c.MaxPositionEmbeddings);
        writer.Add($"{a}.embedding_length", c.HiddenSize);
        writer.Add($"{a}.block_count", c.NumHiddenLayers);
        writer.Add($"{a}.feed_forward_length", Math.Max(1, c.IntermediateSize));
        writer.Add($"{a}.leading_dense_block_count", c.NumHiddenLayers - c.MoeLayers);
        writer.Add($"{a}.attention.head_count", c.NumAttentionHeads);
        writer.Add($"{a}.attention.head_count_kv", 1);
        writer.Add($"{a}.attention.layer_norm_rms_epsilon", c.RmsNormEps);
        if (c.QLoraRank is { } rank)
            writer.Add($"{a}.attention.q_lora_rank", rank);
        writer.Add($"{a}.attention.kv_lora_rank", c.KvLoraRank);
        writer.Add($"{a}.attention.key_length", c.KvLoraRank + c.QkRopeHeadDim);
        writer.Add($"{a}.attention.value_length", c.KvLoraRank);
        writer.Add($"{a}.attention.key_length_mla", c.QkHeadDim);
        writer.Add($"{a}.attention.value_length_mla", c.VHeadDim);
        writer.Add($"{a}.rope.dimension_count", c.QkRopeHeadDim);
        writer.Add($"{a}.rope.freq_base", c.RopeTheta);
        writer.Add($"{a}.expert_count", c.NRoutedExperts);
        writer.Add($"{a}.expert_used_count", c.NumExpertsPerToken);
        writer.Add($"{a}.expert_shared_count", c.NSharedExperts);
        writer.Add($"{a}.expert_feed_forward_length", c.MoeIntermediateSize);
        writer.Add($"{a}.expert_weights_scale", c.RoutedScalingFactor);
        writer.Add($"{a}.expert_weights_norm", c.NormTopkProb);
        writer.Add($"{a}.expert_gating_func", c.ScoringFunction == ScoringFunction.Softmax ? 1 : 2);
        writer.Add("tokenizer.ggml.model", "no_vocab");
    }

    private static void AddTensors(GgufWriter writer, SafetensorsFile weights, ModelConfiguration c)
    {
        var (vocabulary, hidden) = (c.VocabularySize, c.HiddenSize);
        // The scale of embeddings goes into them; the read-out, which may be the same matrix, has none.
        var embedding = new GgufRows(weights, "model.embed_tokens.weight", vocabulary, hidden);
        writer.Add(
            "token_embd.weight",
            GgufType.F32,
            [hidden, vocabulary],
            stream =>
            {
                for (var row = 0; row < vocabulary; row++)
                    GgufRows.WriteSingles(stream, [.. embedding.Decode(row).Select(value => value * (float)c.EmbeddingScale)]);
            }
        );
        AddMatrix(
            writer,
            weights,
            "output.weight",
            c.TieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight",
            vocabulary,
            hidden
        );
        AddVector(writer, weights, "output_norm.weight", "model.norm.weight", hidden);
        for (var layer = 0; layer < c.NumHiddenLayers; layer++)
        {
            var (to, from) = ($"blk.{layer}", $"model.layers.{layer}");
            AddVector(writer, weights, $"{to}.attn_norm.weight", $"{from}.input_layernorm.weight", hidden);
            AddAttention(writer, weights, c, to, $"{from}.self_attn");
            AddVector(writer, weights, $"{to}.ffn_norm.weight", $"{from}.post_attention_layernorm.weight", hidden);
            if (c.IsMoeLayer(layer))
                AddExperts(writer, weights, c, to, $"{from}.mlp");
            else
                foreach (var part in (string[])["gate", "up", "down"])
                    AddMatrix(
                        writer,
                        weights,
                        $"{to}.ffn_{part}.weight",
                        $"{from}.mlp.{part}_proj.weight",
                        part == "down" ? hidden : c.IntermediateSize,
                        part == "down" ? c.IntermediateSize : hidden
                    );
        }
    }

    private static void AddAttention(GgufWriter writer, SafetensorsFile weights, ModelConfiguration c, string to, string from)
    {
        var (heads, nope, value, latent) = (c.NumAttentionHeads, c.QkNopeHeadDim, c.VHeadDim, c.KvLoraRank);
        if (c.QLoraRank is { } rank)
        {
            AddMatrix(writer, weights, $"{to}.attn_q_a.weight", $"{from}.q_a_proj.weight", rank, c.HiddenSize);
            AddVector(writer, weights, $"{to}.attn_q_a_norm.weight", $"{from}.q_a_layernorm.weight", rank);
            AddMatrix(writer, weights, $"{to}.attn_q_b.weight", $"{from}.q_b_proj.weight", heads * c.QkHeadDim, rank);
        }
        else
        {
            AddMatrix(writer, weights, $"{to}.attn_q.weight", $"{from}.q_proj.weight", heads * c.QkHeadDim, c.HiddenSize);
        }

        AddMatrix(
            writer,
            weights,
            $"{to}.attn_kv_a_mqa.weight",
            $"{from}.kv_a_proj_with_mqa.weight",
            latent + c.QkRopeHeadDim,
            c.HiddenSize
        );
        AddVector(writer, weights, $"{to}.attn_kv_a_norm.weight", $"{from}.kv_a_layernorm.weight", latent);
        var up = new GgufRows(weights, $"{from}.kv_b_proj.weight", heads * (nope + value), latent);
        // Keys are stored the other way round: what is multiplied with a query are its columns.
        writer.Add(
            $"{to}.attn_k_b.weight",
            GgufType.F32,
            [nope, latent, heads],
            stream =>
            {
                for (var h = 0; h < heads; h++)
                {
                    var rows = Enumerable.Range(0, nope).Select(i => up.Decode(h * (nope + value) + i)).ToArray();
                    for (var r = 0; r < latent; r++)
                        GgufRows.WriteSingles(stream, [.. rows.Select(row => row[r])]);
                }
            }
        );
        writer.Add(
            $"{to}.attn_v_b.weight",
            up.Type,
            [latent, value, heads],
            stream =>
            {
                for (var h = 0; h < heads; h++)
                    up.Write(stream, h * (nope + value) + nope, value);
            }
        );
        AddMatrix(writer, weights, $"{to}.attn_output.weight", $"{from}.o_proj.weight", c.HiddenSize, heads * value);
    }

    private static void AddExperts(GgufWriter writer, SafetensorsFile weights, ModelConfiguration c, string to, string from)
    {
        var (hidden, width, experts) = (c.HiddenSize, c.MoeIntermediateSize, c.NRoutedExperts);
        AddMatrix(writer, weights, $"{to}.ffn_gate_inp.weight", $"{from}.gate.weight", experts, hidden);
        AddVector(writer, weights, $"{to}.exp_probs_b.bias", $"{from}.gate.e_score_correction_bias", experts);
        foreach (var part in (string[])["gate", "up", "down"])
        {
            var (rows, columns) = part == "down" ? (hidden, width) : (width, hidden);
            var all = Enumerable
                .Range(0, experts)
                .Select(e => new GgufRows(weights, $"{from}.experts.{e}.{part}_proj.weight", rows, columns))
                .ToArray();
            writer.Add(
                $"{to}.ffn_{part}_exps.weight",
                all[0].Type,
                [columns, rows, experts],
                stream =>
                {
                    foreach (var expert in all)
                        expert.Write(stream, 0, rows);
                }
            );
            var (sharedRows, sharedColumns) = part == "down" ? (hidden, c.SharedExpertWidth) : (c.SharedExpertWidth, hidden);
            AddMatrix(
                writer,
                weights,
                $"{to}.ffn_{part}_shexp.weight",
                $"{from}.shared_experts.{part}_proj.weight",
                sharedRows,
                sharedColumns
            );
        }
    }

    private static void AddMatrix(GgufWriter writer, SafetensorsFile weights, string to, string from, int rows, int columns)
    {
        var source = new GgufRows(weights, from, rows, columns);
        writer.Add(to, source.Type, [columns, rows], stream => source.Write(stream, 0, rows));
    }

    private static void AddVector(GgufWriter writer, SafetensorsFile weights, string to, string from, int length)
    {
        var values = new float[length];
        unsafe
        {
            fixed (float* target = values)
                MatrixFormat.Decode(weights, from, target, length);
        }

        writer.Add(to, GgufType.F32, [length], stream => GgufRows.WriteSingles(stream, values));
    }
}

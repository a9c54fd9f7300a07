using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>
/// YaRN (arXiv 2309.00071) as DeepSeek applies it; takes effect only when <see cref="ModelConfiguration.MaxPositionEmbeddings"/> exceeds
/// <see cref="OriginalMaxPositionEmbeddings"/>.
/// </summary>
public sealed record RopeScaling
{
    /// <summary>Factor s by which the context grows.</summary>
    [JsonPropertyName("factor")]
    public required double Factor { get; init; }

    /// <summary>Context L₀ of the training before the extension, in tokens.</summary>
    [JsonPropertyName("original_max_position_embeddings")]
    public int OriginalMaxPositionEmbeddings { get; init; } = 4096;

    /// <summary>Rotations over L₀ above which a frequency is left as it is (the paper's β).</summary>
    [JsonPropertyName("beta_fast")]
    public double BetaFast { get; init; } = 32.0;

    /// <summary>Rotations over L₀ below which a frequency is divided by s (the paper's α).</summary>
    [JsonPropertyName("beta_slow")]
    public double BetaSlow { get; init; } = 1.0;

    /// <summary>Coefficient of ln s in the softmax temperature, of the rotated part.</summary>
    [JsonPropertyName("mscale")]
    public double Mscale { get; init; } = 1.0;

    /// <summary>Coefficient of ln s in the softmax temperature, of the whole logit; equals <see cref="Mscale"/>.</summary>
    [JsonPropertyName("mscale_all_dim")]
    public double MscaleAllDim { get; init; } = 1.0;

    internal void Check()
    {
        Bounds.Range("rope_scaling.factor", Factor, 1.0, 1e6);
        Bounds.Range("rope_scaling.original_max_position_embeddings", OriginalMaxPositionEmbeddings, 1, 1 << 24);
        Bounds.Range("rope_scaling.beta_slow", BetaSlow, 1e-6, 1e6);
        Bounds.Range("rope_scaling.beta_fast", BetaFast, BetaSlow, 1e6);
        Bounds.Range("rope_scaling.mscale", Mscale, 0.0, 100.0);
        Bounds.That(
            MscaleAllDim == Mscale,
            "rope_scaling.mscale_all_dim",
            MscaleAllDim,
            "only the value of mscale is supported: the temperature then applies to the whole logit"
        );
    }
}

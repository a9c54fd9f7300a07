using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>What a memory read is fused with.</summary>
public enum FusionPlace
{
    /// <summary>
    /// Every residual stream at the entry of the block, each with a key and a gate of its own (Engram paper, section 2.4).
    /// </summary>
    [JsonStringEnumMemberName("streams")]
    Streams,

    /// <summary>
    /// The mixture of the streams that the block's attention reads: one key, one gate, and the result is added to that mixture. The
    /// ablation without multi-branch integration (Engram paper, section 6.2).
    /// </summary>
    [JsonStringEnumMemberName("mixture")]
    Mixture,

    /// <summary>
    /// The values of the block's attention: a projection of the read is added to the values of all heads, without a gate
    /// (karpathy/nanochat, pull request 854).
    /// </summary>
    [JsonStringEnumMemberName("values")]
    Values,

    /// <summary>
    /// The input embedding: the mean of the token's row and the projected rows of its H n-grams, (wte + Σ W E) / (1 + H), without a gate
    /// (OverEncoding, arXiv 2501.16975). The divisor stays when the memory is off.
    /// </summary>
    [JsonStringEnumMemberName("input")]
    Input,
}

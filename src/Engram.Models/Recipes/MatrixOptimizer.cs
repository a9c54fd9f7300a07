using System.Text.Json.Serialization;

namespace Engram.Models.Recipes;

/// <summary>The optimizer of a group of matrices.</summary>
public enum MatrixOptimizer
{
    /// <summary>Muon.</summary>
    [JsonStringEnumMemberName("muon")]
    Muon,

    /// <summary>AdamW with weight decay.</summary>
    [JsonStringEnumMemberName("adam_w")]
    AdamW,
}

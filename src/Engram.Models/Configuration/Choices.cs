using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>Function from router logits to expert scores.</summary>
public enum ScoringFunction
{
    /// <summary>Logistic function of each logit (DeepSeek-V3).</summary>
    [JsonStringEnumMemberName("sigmoid")] Sigmoid,

    /// <summary>Softmax over the experts (DeepSeek-V2).</summary>
    [JsonStringEnumMemberName("softmax")] Softmax,

    /// <summary>Square root of softplus of each logit (DeepSeek-V4).</summary>
    [JsonStringEnumMemberName("sqrtsoftplus")] SqrtSoftplus,
}

/// <summary>Kind of residual connection.</summary>
public enum ResidualConnection
{
    /// <summary>One stream, x + F(norm(x)).</summary>
    [JsonStringEnumMemberName("plain")] Plain,

    /// <summary>Several streams with manifold-constrained hyper-connections (arXiv 2512.24880).</summary>
    [JsonStringEnumMemberName("mhc")] Mhc,
}

/// <summary>Gate α between a memory read and the residual streams.</summary>
public enum EngramGate
{
    /// <summary>Sigmoid of the signed square root of the scaled dot product (released code).</summary>
    [JsonStringEnumMemberName("signed_sqrt")] SignedSqrt,

    /// <summary>Sigmoid of the scaled dot product (Engram paper, equation 4).</summary>
    [JsonStringEnumMemberName("sigmoid")] Sigmoid,

    /// <summary>α = 1: no keys, no gate norms.</summary>
    [JsonStringEnumMemberName("none")] None,
}

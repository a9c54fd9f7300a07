using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>Gate α between a memory read and the residual streams.</summary>
public enum EngramGate
{
    /// <summary>Sigmoid of the signed square root of the scaled dot product (released code).</summary>
    [JsonStringEnumMemberName("signed_sqrt")]
    SignedSqrt,

    /// <summary>
    /// The same with ±0.001 in place of 0 for a dot product of exactly ±0, which only keys or queries of zeros reach (DeepSeek-V4.1).
    /// </summary>
    [JsonStringEnumMemberName("copysign_sqrt")]
    CopySignSqrt,

    /// <summary>Sigmoid of the scaled dot product (Engram paper, equation 4).</summary>
    [JsonStringEnumMemberName("sigmoid")]
    Sigmoid,

    /// <summary>α = 1: no keys, no gate norms.</summary>
    [JsonStringEnumMemberName("none")]
    None,
}

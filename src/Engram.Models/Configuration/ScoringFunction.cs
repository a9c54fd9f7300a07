using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>Function from router logits to expert scores.</summary>
public enum ScoringFunction
{
    /// <summary>Logistic function of each logit (DeepSeek-V3).</summary>
    [JsonStringEnumMemberName("sigmoid")]
    Sigmoid,

    /// <summary>Softmax over the experts (DeepSeek-V2).</summary>
    [JsonStringEnumMemberName("softmax")]
    Softmax,

    /// <summary>Square root of softplus of each logit (DeepSeek-V4).</summary>
    [JsonStringEnumMemberName("sqrtsoftplus")]
    SqrtSoftplus,
}

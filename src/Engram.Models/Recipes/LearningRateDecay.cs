using System.Text.Json.Serialization;

namespace Engram.Models.Recipes;

/// <summary>How the learning rate leaves its plateau.</summary>
public enum LearningRateDecay
{
    /// <summary>× 0.316 after 80 % of the updates, × 0.1 after 90 % (DeepSeek LLM).</summary>
    [JsonStringEnumMemberName("steps")]
    Steps,

    /// <summary>Constant, then linear to a fraction of the base (warm-up, stable, decay).</summary>
    [JsonStringEnumMemberName("linear")]
    Linear,
}

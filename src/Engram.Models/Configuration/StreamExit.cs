using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>How several residual streams become one behind the last block.</summary>
public enum StreamExit
{
    /// <summary>Their mean; the final norm makes it the same function as their sum.</summary>
    [JsonStringEnumMemberName("mean")]
    Mean,

    /// <summary>A weighted sum whose weights are learnt and depend on the streams themselves (DeepSeek-V4's head).</summary>
    [JsonStringEnumMemberName("head")]
    Head,
}

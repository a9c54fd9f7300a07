using System.Text.Json.Serialization;

namespace Engram.Addressing;

/// <summary>How an n-gram becomes a row of a head's segment.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<HashScheme>))]
public enum HashScheme
{
    /// <summary>Ids times odd multipliers, joined by XOR, modulo a prime of the head (Engram, arXiv 2601.07372, section 2.3).</summary>
    [JsonStringEnumMemberName("multiplicative_xor")]
    MultiplicativeXor,

    /// <summary>
    /// The n-gram as a number in base V′, the current id its lowest digit and 0 where there is no id, modulo m + 2j in the j-th segment of
    /// the model (OverEncoding, arXiv 2501.16975). No seed takes part.
    /// </summary>
    [JsonStringEnumMemberName("polynomial")]
    Polynomial,
}

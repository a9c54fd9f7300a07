using System.Text.Json.Serialization;

namespace Engram.Tables.Training;

/// <summary>
/// How an optimizer stores the moments of a row. Arithmetic is float32 in both; bfloat16 halves the memory and rounds what is stored to 8
/// significant bits, to nearest, ties to even.
/// <para>
/// A bfloat16 moment with decay β surely shrinks without gradient only if 1 − β &gt; 2⁻⁸, that is β &lt; 0.9961; from β = 0.9981 on it
/// never does, because each product rounds back to what it was. The default decays 0.9 and 0.95 are safe; β₂ = 0.999 is not: a mean square
/// would rise and never fall.
/// </para>
/// </summary>
public enum MomentFormat
{
    /// <summary>4 bytes a value.</summary>
    [JsonStringEnumMemberName("float32")]
    Float32,

    /// <summary>2 bytes a value.</summary>
    [JsonStringEnumMemberName("bfloat16")]
    BFloat16,
}

namespace Engram.Tokenization;

/// <summary>
/// What the strings of added tokens mean where they stand in a text. Text of strangers should not contain control markers: <see
/// cref="AllAsText"/>.
/// </summary>
public enum TypedTokens
{
    /// <summary>Every added token is recognised, as the reference library does unless told otherwise.</summary>
    Recognized,

    /// <summary>Special tokens are text; other added tokens are recognised (the reference's <c>encode_special_tokens</c>).</summary>
    SpecialAsText,

    /// <summary>
    /// All added tokens are text, also control markers that a vocabulary does not call special, as "&lt;｜User｜&gt;" of DeepSeek-V3.
    /// </summary>
    AllAsText,
}

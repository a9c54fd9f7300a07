namespace Engram.Tokenization;

/// <summary>A token that is found in the text before any splitting: a control marker, or a string added to a finished vocabulary.</summary>
/// <param name="Id">Its token id.</param>
/// <param name="Content">The text it matches and decodes to.</param>
/// <param name="Special">Whether decoding may leave it out. Special tokens are not text.</param>
/// <param name="Normalized">Whether it is matched in normalised text (after the tokens that are not) and normalised itself first.</param>
/// <param name="SingleWord">Whether it matches only where no letter, mark, decimal digit or connector touches it.</param>
/// <param name="LeftStrip">Whether it swallows the white space before it.</param>
/// <param name="RightStrip">Whether it swallows the white space after it.</param>
public sealed record AddedToken(
    int Id,
    string Content,
    bool Special = false,
    bool Normalized = false,
    bool SingleWord = false,
    bool LeftStrip = false,
    bool RightStrip = false
);

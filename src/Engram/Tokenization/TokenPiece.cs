namespace Engram.Tokenization;

/// <summary>One piece of a text on its way through the tokenizer.</summary>
/// <param name="Text">What the piece holds, after normalisation.</param>
/// <param name="Ids">The ids it becomes.</param>
/// <param name="IsAddedToken">Whether it was found as an added token, before any splitting.</param>
public sealed record TokenPiece(string Text, IReadOnlyList<int> Ids, bool IsAddedToken);

namespace Engram.Evaluation.Layers;

/// <summary>A text and the places in it whose hidden states are compared: the ends of names, or of words.</summary>
/// <param name="Text">The text.</param>
/// <param name="Ends">Ascending offsets, in UTF-16 units, behind the last character of each place; above 0 and at most the length.</param>
public sealed record MarkedText(string Text, IReadOnlyList<int> Ends)
{
    /// <summary>
    /// A text marked at the end of every word: wherever a character that is no white space stands before one that is, or last.
    /// </summary>
    public static MarkedText Words(string text) =>
        new(
            text,
            [
                .. Enumerable
                    .Range(1, text.Length)
                    .Where(end => !char.IsWhiteSpace(text[end - 1]) && (end == text.Length || char.IsWhiteSpace(text[end]))),
            ]
        );
}

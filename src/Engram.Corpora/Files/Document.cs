namespace Engram.Corpora.Files;

/// <summary>
/// The unit of a corpus: what is kept or dropped as a duplicate, falls into training or validation as a whole, and resets the n-gram
/// window.
/// </summary>
/// <param name="Name">Where the text comes from, for messages: a file, a file and line, or a documented member.</param>
/// <param name="Text">The whole text, not empty.</param>
/// <param name="TitleLength">
/// Leading UTF-16 units of <paramref name="Text"/> that only name the document. Duplicates are compared without them.
/// </param>
public sealed record Document(string Name, string Text, int TitleLength = 0)
{
    /// <summary>The text without its title.</summary>
    internal ReadOnlySpan<char> Body => Text.AsSpan(TitleLength);
}

namespace Engram.Tokenization;

/// <summary>
/// One stage of pre-tokenization: cuts a text into pieces that lie side by side and cover it. A stage sees one piece of the stage before it
/// and nothing around it, so "end of text" is the end of that piece. Stateless, therefore thread-safe.
/// </summary>
internal abstract class TextSplitter
{
    /// <summary>End of the piece that begins at <paramref name="start"/>, itself a piece boundary below the length of <paramref name="text"/>.</summary>
    /// <returns>Greater than <paramref name="start"/>, at most the length of the text.</returns>
    public abstract int PieceEnd(ReadOnlySpan<char> text, int start);
}

using Engram.Tokenization.Patterns;

namespace Engram.Tokenization;

/// <summary>How far the splitting of one text has come: the last piece, and what the splitter has seen beyond it.</summary>
internal struct Cut
{
    /// <summary>Where the piece begins.</summary>
    public int Start;

    /// <summary>Behind the piece.</summary>
    public int End;

    /// <summary>Segments of the text, for a splitter that works with a pattern.</summary>
    public PatternSegments Segments;
}

/// <summary>
/// One stage of pre-tokenization that cuts a text into pieces, in order; some stages leave parts out. A stage sees one piece of the stage
/// before it and nothing around it, so "end of text" is the end of that piece. Stateless, therefore thread-safe.
/// </summary>
internal abstract class TextSplitter
{
    /// <summary>Moves on to the next piece, which is not empty.</summary>
    /// <param name="text">Not empty; the same for every call.</param>
    /// <param name="cut">Begins as its default.</param>
    /// <returns>False when there is none.</returns>
    public abstract bool Next(ReadOnlySpan<char> text, ref Cut cut);
}

/// <summary>A splitter whose pieces lie side by side and cover the text.</summary>
internal abstract class CoveringSplitter : TextSplitter
{
    /// <summary>
    /// End of the piece that begins at <paramref name="start"/>, itself a piece boundary below the length of <paramref name="text"/>.
    /// </summary>
    /// <returns>Greater than <paramref name="start"/>, at most the length of the text.</returns>
    public abstract int PieceEnd(ReadOnlySpan<char> text, int start);

    public sealed override bool Next(ReadOnlySpan<char> text, ref Cut cut)
    {
        cut.Start = cut.End;
        if (cut.Start >= text.Length)
            return false;
        cut.End = PieceEnd(text, cut.Start);
        return true;
    }
}

using Engram.Tokenization.Patterns;

namespace Engram.Tokenization;

/// <summary>What becomes of the matches of a pattern that splits.</summary>
internal enum SplitBehavior
{
    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>Each belongs to the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each belongs to the piece behind it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring matches are one piece.</summary>
    Contiguous,
}

/// <summary>
/// Hugging Face's Split: a pattern divides the text into matches and what lies between, a behavior says which of them make pieces.
/// </summary>
/// <param name="pattern">What to look for.</param>
/// <param name="behavior">What becomes of the matches.</param>
/// <param name="invert">Whether matches and the text between them change roles.</param>
internal sealed class PatternSplitter(RunePattern pattern, SplitBehavior behavior, bool invert = false) : TextSplitter
{
    public override bool Next(ReadOnlySpan<char> text, ref Cut cut)
    {
        while (NextPiece(text, ref cut))
            if (cut.End > cut.Start)
                return true;
        return false;
    }

    private bool NextPiece(ReadOnlySpan<char> text, ref Cut cut)
    {
        ref var segments = ref cut.Segments;
        if (!segments.Next(pattern, text, out var segment))
            return false;
        var isMatch = segment.IsMatch != invert;
        while (behavior == SplitBehavior.Removed && isMatch)
        {
            if (!segments.Next(pattern, text, out segment))
                return false;
            isMatch = segment.IsMatch != invert;
        }
        (cut.Start, cut.End) = (segment.Start, segment.End);
        if (behavior is SplitBehavior.Removed or SplitBehavior.Isolated)
            return true;

        while (segments.Peek(pattern, text, out var next))
        {
            var nextIsMatch = next.IsMatch != invert;
            var joined = behavior switch
            {
                SplitBehavior.Contiguous => nextIsMatch == isMatch,
                SplitBehavior.MergedWithPrevious => nextIsMatch && !isMatch,
                _ => isMatch && !nextIsMatch,
            };
            if (!joined)
                break;
            segments.Next(pattern, text, out next);
            cut.End = next.End;
            isMatch = nextIsMatch;
        }
        return true;
    }
}

namespace Engram.Tokenization.Patterns;

/// <summary>A part of a text: a match, which may be empty, or what lies between matches.</summary>
internal readonly record struct PatternSegment(int Start, int End, bool IsMatch);

/// <summary>Walks a text that a pattern divides: matches and the gaps between them, in order, covering the text.</summary>
internal struct PatternSegments
{
    private PatternMatches _matches;
    private PatternSegment _match;
    private PatternSegment _peeked;
    private int _covered;
    private bool _matchWaits;
    private bool _peekWaits;
    private bool _exhausted;

    /// <summary>Takes the next part.</summary>
    public bool Next(RunePattern pattern, ReadOnlySpan<char> text, out PatternSegment segment)
    {
        if (_peekWaits)
        {
            segment = _peeked;
            _peekWaits = false;
            return true;
        }
        if (!_matchWaits && !_exhausted)
        {
            _matchWaits = _matches.Next(pattern, text, out var start, out var end);
            _exhausted = !_matchWaits;
            _match = _matchWaits
                ? new PatternSegment(start, end, IsMatch: true)
                : new PatternSegment(text.Length, text.Length, IsMatch: false);
        }
        if (_covered < _match.Start)
        {
            segment = new PatternSegment(_covered, _match.Start, IsMatch: false);
            _covered = _match.Start;
            return true;
        }
        segment = _match;
        if (!_matchWaits)
            return false;
        _matchWaits = false;
        _covered = _match.End;
        return true;
    }

    /// <summary>Looks at the next part without taking it.</summary>
    public bool Peek(RunePattern pattern, ReadOnlySpan<char> text, out PatternSegment segment)
    {
        if (!_peekWaits)
            _peekWaits = Next(pattern, text, out _peeked);
        segment = _peeked;
        return _peekWaits;
    }
}

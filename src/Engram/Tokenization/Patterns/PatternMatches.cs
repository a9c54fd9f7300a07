namespace Engram.Tokenization.Patterns;

/// <summary>
/// All matches in a text, in the order and with the rules of the reference: an empty match directly behind a match does not count, and the
/// search then goes on one rune further.
/// </summary>
internal struct PatternMatches
{
    private PatternMemory? _memory;
    private int _from;
    private int _lastEnd;
    private bool _begun;

    /// <summary>Finds the next match.</summary>
    /// <param name="pattern">The same for every call.</param>
    /// <param name="text">The same for every call.</param>
    /// <param name="start">Where it begins.</param>
    /// <param name="end">Behind it.</param>
    public bool Next(RunePattern pattern, ReadOnlySpan<char> text, out int start, out int end)
    {
        if (!_begun)
        {
            _begun = true;
            _lastEnd = -1;
            _memory = pattern.MemoryFor(text.Length);
        }
        while (_from <= text.Length && pattern.Find(text, _from, _memory, out start, out end))
        {
            if (start == end && end == _lastEnd)
            {
                _from += _from < text.Length && char.IsHighSurrogate(text[_from]) ? 2 : 1;
                continue;
            }
            _from = _lastEnd = end;
            return true;
        }
        _from = int.MaxValue;
        (start, end) = (-1, -1);
        return false;
    }
}

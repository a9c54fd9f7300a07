namespace Engram.Addressing.Statistics;

/// <summary>Reads a run from its beginning to its end, block by block.</summary>
internal sealed class NgramRunReader(NgramRun run)
{
    /// <summary>N-grams of a block: 24 KiB.</summary>
    public const int BlockLength = 1024;

    private readonly NgramCount[] _block = new NgramCount[BlockLength];
    private int _length;
    private int _at = -1;
    private long _next;

    /// <summary>The n-gram at the current position.</summary>
    public ref readonly NgramCount Current => ref _block[_at];

    /// <summary>Whether it is the first one of its block: a moment to look for cancellation.</summary>
    public bool IsAtBlockStart => _at == 0;

    /// <summary>Moves to the next n-gram.</summary>
    /// <returns>False at the end.</returns>
    public bool MoveNext()
    {
        if (++_at < _length)
            return true;
        _length = run.Read(_next, _block);
        _next += _length;
        _at = 0;
        return _length > 0;
    }
}

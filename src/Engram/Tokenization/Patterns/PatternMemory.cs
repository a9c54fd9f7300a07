namespace Engram.Tokenization.Patterns;

/// <summary>
/// What matching one long text has found out, so that no text costs more than time in proportion to its length: where runs end, and from
/// which steps at which places no match was found. What follows a step depends on nothing but its place, so a failure there is final. One
/// text, one thread.
/// </summary>
/// <param name="runs">Runs of the program.</param>
/// <param name="branches">Branches of the program.</param>
/// <param name="length">Of the text, in code units.</param>
internal sealed class PatternMemory(int runs, int branches, int length)
{
    /// <summary>Shorter texts need none: nothing takes long there.</summary>
    public const int ShortestText = 256;

    // Branches are noted only where matching turns out to go back often.
    private const int StepsPerUnit = 16;

    private const long MostBits = 1L << 31;

    private readonly (int Start, int End, int Failed)[] _runs = NoRuns(runs);
    private ulong[]? _failed;
    private long _steps;

    /// <summary>
    /// The part of the text that the last long run covered; before the first one an empty part that ends before the text.
    /// </summary>
    public (int Start, int End) Kept(int run) => (_runs[run].Start, _runs[run].End);

    /// <summary>Keeps a run. One that only begins earlier than the last keeps what is known about that.</summary>
    public void KeepRun(int run, int start, int end)
    {
        ref var kept = ref _runs[run];
        kept = (start, end, kept.End == end ? kept.Failed : int.MaxValue);
    }

    /// <summary>The place of the run kept from which on the rest is known to fail; beyond every text when nothing is known.</summary>
    public int FailedFrom(int run) => _runs[run].Failed;

    public void KeepFailure(int run, int first)
    {
        ref var kept = ref _runs[run];
        if (kept.Start <= first && first <= kept.End)
            kept.Failed = Math.Min(kept.Failed, first);
    }

    /// <summary>Counts a branch. Whether failures at branches are noted from now on.</summary>
    public bool NotesBranches()
    {
        if (++_steps <= (long)length * StepsPerUnit)
            return false;
        if (_failed is null && (long)branches * (length + 1) <= MostBits)
            _failed = new ulong[(((long)branches * (length + 1)) >> 6) + 1];
        return _failed is not null;
    }

    public bool BranchHasFailed(int branch, int at) => (_failed![Bit(branch, at) >> 6] >> (int)Bit(branch, at) & 1) != 0;

    public void KeepBranchFailure(int branch, int at) => _failed![Bit(branch, at) >> 6] |= 1UL << (int)Bit(branch, at);

    private long Bit(int branch, int at) => ((long)branch * (length + 1)) + at;

    private static (int, int, int)[] NoRuns(int count)
    {
        var runs = new (int Start, int End, int Failed)[count];
        Array.Fill(runs, (0, -1, int.MaxValue));
        return runs;
    }
}

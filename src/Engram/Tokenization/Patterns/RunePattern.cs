using System.Buffers;

namespace Engram.Tokenization.Patterns;

/// <summary>
/// A regular expression over Unicode scalar values, for the patterns in tokenizer files: the framework's engine works on UTF-16 units and
/// does not see letters, digits and symbols beyond U+FFFF. First alternative first, with going back; see <see cref="PatternParser"/> for
/// the syntax and <see cref="PatternMemory"/> for what keeps the time linear. Immutable and thread-safe.
/// </summary>
internal sealed class RunePattern
{
    // Shorter runs are scanned again rather than remembered.
    private const int ShortestKeptRun = 16;

    // What a waiting alternative is: a run that can give back has a place here, the others one of these.
    private const int Alternative = -1,
        FailedBranch = -2,
        FailedRun = -3;
    private const int WaitingSize = 3;

    private readonly Instruction[] _program;
    private readonly RuneSet? _first;
    private readonly int _runs;
    private readonly int _branches;
    private readonly bool _dependsOnSearch;

    /// <param name="pattern">What to match.</param>
    /// <exception cref="FormatException">The program would be too long.</exception>
    public RunePattern(PatternNode pattern)
    {
        var compiler = new PatternCompiler();
        _program = compiler.Compile(pattern);
        (_runs, _branches) = (compiler.Runs, compiler.Branches);
        _dependsOnSearch = _program.Any(step => step is { Operation: Operation.Assert, Place: Place.SearchStart });
        _first = pattern.CanBeEmpty ? null : new RuneSet(pattern.First);
    }

    /// <summary>Matches a plain string.</summary>
    /// <exception cref="FormatException">It is too long.</exception>
    public static RunePattern Literal(string text) =>
        new(new PatternNode.Row([.. text.EnumerateRunes().Select(rune => new PatternNode.One(RuneRanges.Of(rune.Value)))]));

    /// <summary>Matches one rune of a set.</summary>
    public static RunePattern AnyOf(RuneRanges set) => new(new PatternNode.One(set));

    /// <summary>Compiles a regular expression.</summary>
    /// <exception cref="FormatException">
    /// The pattern uses something outside the supported syntax. The message continues "the pattern …".
    /// </exception>
    public static RunePattern Parse(string pattern) => new(PatternParser.Parse(pattern));

    /// <summary>
    /// What matching a text can remember; null where nothing takes long, or where a match depends on the place the search began.
    /// </summary>
    public PatternMemory? MemoryFor(int length) =>
        length < PatternMemory.ShortestText || _dependsOnSearch ? null : new PatternMemory(_runs, _branches, length);

    /// <summary>The first match that begins at <paramref name="from"/> or later.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="from">A rune boundary, or the end.</param>
    /// <param name="memory">Made by <see cref="MemoryFor"/> for this text, or null.</param>
    /// <param name="start">Where it begins.</param>
    /// <param name="end">Behind it.</param>
    public bool Find(ReadOnlySpan<char> text, int from, PatternMemory? memory, out int start, out int end)
    {
        for (start = from; start <= text.Length; start += StepLength(text, start))
        {
            if (_first is not null && _first.LengthAt(text, start) == 0)
                continue;
            end = Match(text, start, 0, from, -1, memory);
            if (end >= 0)
                return true;
        }
        (start, end) = (-1, -1);
        return false;
    }

    /// <summary>End of the match that begins at <paramref name="position"/> with instruction <paramref name="at"/>, or -1.</summary>
    private int Match(ReadOnlySpan<char> text, int position, int at, int searchStart, int requiredEnd, PatternMemory? memory)
    {
        // Alternatives not yet tried: step, place, kind.
        Span<int> waiting = stackalloc int[32 * WaitingSize];
        int[]? rented = null;
        var count = 0;
        var program = _program;
        while (true)
        {
            ref readonly var step = ref program[at];
            switch (step.Operation)
            {
                case Operation.Take:
                    if (step.Set!.LengthAt(text, position) is > 0 and var length)
                    {
                        position += length;
                        at++;
                        continue;
                    }
                    break;
                case Operation.Branch:
                    if (step.Set is not null && step.Set.LengthAt(text, position) == 0)
                    {
                        at = step.Second;
                        continue;
                    }
                    if (step.SecondSet is null || step.SecondSet.LengthAt(text, position) > 0)
                    {
                        if (memory is not null && memory.NotesBranches())
                        {
                            if (memory.BranchHasFailed(step.Number, position))
                                break;
                            Wait(ref waiting, ref rented, ref count, at, position, FailedBranch);
                        }
                        Wait(ref waiting, ref rented, ref count, step.Second, position, Alternative);
                    }
                    at = step.First;
                    continue;
                case Operation.Jump:
                    at = step.First;
                    continue;
                case Operation.Run or Operation.FinalRun:
                    if (!TryRun(text, in step, memory, ref position, out var least))
                        break;
                    if (step.Operation == Operation.Run && least < position)
                    {
                        if (memory is not null && step.Most == int.MaxValue && position - least >= ShortestKeptRun)
                            Wait(ref waiting, ref rented, ref count, at, least, FailedRun);
                        Wait(ref waiting, ref rented, ref count, at + 1, position, least);
                    }
                    at++;
                    continue;
                case Operation.LookAhead or Operation.NoLookAhead:
                    if (Match(text, position, at + 1, searchStart, -1, memory) >= 0 != (step.Operation == Operation.LookAhead))
                        break;
                    at = step.First;
                    continue;
                case Operation.LookBehind or Operation.NoLookBehind:
                    if (EndsHere(text, position, at, in step, searchStart) != (step.Operation == Operation.LookBehind))
                        break;
                    at = step.First;
                    continue;
                case Operation.Atomic:
                    if (Match(text, position, at + 1, searchStart, -1, memory) is not (>= 0 and var final))
                        break;
                    position = final;
                    at = step.First;
                    continue;
                case Operation.Assert:
                    if (!PatternPlaces.Holds(step.Place, text, position, searchStart))
                        break;
                    at++;
                    continue;
                default:
                    if (requiredEnd >= 0 && position != requiredEnd)
                        break;
                    if (rented is not null)
                        ArrayPool<int>.Shared.Return(rented);
                    return position;
            }
            if (Resume(text, waiting, ref count, memory, ref at, ref position))
                continue;
            if (rented is not null)
                ArrayPool<int>.Shared.Return(rented);
            return -1;
        }
    }

    /// <summary>Takes up the alternative that waits on top; notes what has failed on the way.</summary>
    private bool Resume(ReadOnlySpan<char> text, Span<int> waiting, ref int count, PatternMemory? memory, ref int at, ref int position)
    {
        while (count > 0)
        {
            count -= WaitingSize;
            (at, position, var kind) = (waiting[count], waiting[count + 1], waiting[count + 2]);
            switch (kind)
            {
                case Alternative:
                    return true;
                case FailedBranch:
                    memory!.KeepBranchFailure(_program[at].Number, position);
                    break;
                case FailedRun:
                    memory!.KeepFailure(_program[at].Number, position);
                    break;
                default: // a run gives back one rune; kind is the place it may give back to
                    position -= char.IsLowSurrogate(text[position - 1]) ? 2 : 1;
                    waiting[count + 1] = position;
                    if (position > kind)
                        count += WaitingSize;
                    return true;
            }
        }
        return false;
    }

    /// <summary>Takes a run as long as it goes; <paramref name="least"/> is the earliest place that it may give back to.</summary>
    private static bool TryRun(ReadOnlySpan<char> text, in Instruction step, PatternMemory? memory, ref int position, out int least)
    {
        var start = position;
        least = start;
        for (var count = 0; count < step.Least; count++)
        {
            var length = step.Set!.LengthAt(text, least);
            if (length == 0)
                return false;
            least += length;
        }
        if (memory is null || step.Most != int.MaxValue)
        {
            position = step.Set!.RunEnd(text, least, step.Most - step.Least);
            return true;
        }
        position = EndOfRun(text, in step, memory, start, least);
        var failed = memory.FailedFrom(step.Number);
        if (memory.Kept(step.Number) is var kept && (start < kept.Start || position != kept.End))
            return true; // not the run that is kept
        if (least >= failed)
            return false;
        if (failed <= position)
            position = failed - (char.IsLowSurrogate(text[failed - 1]) ? 2 : 1);
        return true;
    }

    /// <summary>Where a run without limit ends, from what is known of the last one where the two meet.</summary>
    private static int EndOfRun(ReadOnlySpan<char> text, in Instruction step, PatternMemory memory, int start, int least)
    {
        var (keptStart, keptEnd) = memory.Kept(step.Number);
        if (keptStart <= start && start <= keptEnd)
            return keptEnd;
        int end;
        if (start < keptStart && least <= keptEnd)
        {
            end = least < keptStart ? step.Set!.RunEnd(text[..keptStart], least, int.MaxValue) : keptStart;
            if (end == keptStart)
                end = keptEnd;
        }
        else
            end = step.Set!.RunEnd(text, least, int.MaxValue);
        if (end - start >= ShortestKeptRun)
            memory.KeepRun(step.Number, start, end);
        return end;
    }

    /// <summary>Whether the part that a condition asks about matches some text that ends at <paramref name="position"/>.</summary>
    private bool EndsHere(ReadOnlySpan<char> text, int position, int at, in Instruction step, int searchStart)
    {
        var start = position;
        for (var length = 0; length <= step.Most; length++)
        {
            if (length >= step.Least && Match(text, start, at + 1, searchStart, position, memory: null) >= 0)
                return true;
            if (start == 0)
                return false;
            start -= start > 1 && char.IsLowSurrogate(text[start - 1]) ? 2 : 1;
        }
        return false;
    }

    private static int StepLength(ReadOnlySpan<char> text, int at) => at < text.Length && char.IsHighSurrogate(text[at]) ? 2 : 1;

    private static void Wait(ref Span<int> waiting, ref int[]? rented, ref int count, int at, int position, int kind)
    {
        if (count == waiting.Length)
        {
            var larger = ArrayPool<int>.Shared.Rent(count * 2);
            waiting.CopyTo(larger);
            if (rented is not null)
                ArrayPool<int>.Shared.Return(rented);
            rented = larger;
            waiting = larger.AsSpan(0, larger.Length / WaitingSize * WaitingSize);
        }
        waiting[count++] = at;
        waiting[count++] = position;
        waiting[count++] = kind;
    }
}

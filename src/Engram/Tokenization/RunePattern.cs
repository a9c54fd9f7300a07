using System.Buffers;
using System.Text;

namespace Engram.Tokenization;

/// <summary>
/// A regular expression over Unicode scalar values, for the patterns in foreign tokenizer files: the framework's engine works on UTF-16 units and does not
/// see letters, digits and symbols beyond U+FFFF. Backtracking, first alternative first, greedy. The syntax is the part of Oniguruma's that such patterns use
/// (see <see cref="RunePatternParser"/>).
/// </summary>
internal sealed class RunePattern
{
    private readonly Instruction[] _program;

    internal enum Operation : byte
    {
        /// <summary>Take one rune of the set.</summary>
        Take,
        /// <summary>Try <c>First</c>, then <c>Second</c>.</summary>
        Branch,
        /// <summary>Go on at <c>First</c>.</summary>
        Jump,
        /// <summary>Go on at <c>First</c> if what follows this instruction, up to its Accept, matches here.</summary>
        LookAhead,
        /// <summary>Go on at <c>First</c> if it does not.</summary>
        NegativeLookAhead,
        /// <summary>The pattern, or the look-ahead, has matched.</summary>
        Accept,
    }

    internal readonly record struct Instruction(Operation Operation, int First = 0, int Second = 0, RuneSet? Set = null);

    private RunePattern(Instruction[] program) => _program = program;

    /// <summary>Matches a plain string.</summary>
    /// <exception cref="FormatException">It is too long.</exception>
    public static RunePattern Literal(string text)
    {
        if (text.Length > RunePatternParser.LongestProgram) throw new FormatException($"a pattern of {text.Length} characters is too long");
        return new([
            .. text.EnumerateRunes().Select(rune => new Instruction(Operation.Take, Set: new RuneSet([new RuneSet.Part(rune.Value, rune.Value)], negated: false, ignoreCase: false))),
            new Instruction(Operation.Accept),
        ]);
    }

    /// <summary>Compiles a regular expression.</summary>
    /// <exception cref="FormatException">The pattern uses something outside the supported syntax.</exception>
    public static RunePattern Parse(string pattern) => new(new RunePatternParser(pattern).Parse());

    /// <summary>End of the match that begins exactly at <paramref name="start"/>, or -1.</summary>
    public int MatchEnd(ReadOnlySpan<char> text, int start) => Run(text, start, 0);

    private int Run(ReadOnlySpan<char> text, int position, int instruction)
    {
        // Alternatives not yet tried: instruction and position, two entries each.
        var pending = ArrayPool<int>.Shared.Rent(256);
        var count = 0;
        var result = -1;
        while (true)
        {
            ref readonly var step = ref _program[instruction];
            var failed = false;
            switch (step.Operation)
            {
                case Operation.Take:
                    if (Rune.DecodeFromUtf16(text[position..], out var rune, out var length) == OperationStatus.NeedMoreData && length == 0
                        || !step.Set!.Contains(rune)) failed = true;
                    else position += length;
                    instruction++;
                    break;
                case Operation.Branch:
                    if (count + 2 > pending.Length) Enlarge(ref pending);
                    pending[count++] = step.Second;
                    pending[count++] = position;
                    instruction = step.First;
                    break;
                case Operation.Jump:
                    instruction = step.First;
                    break;
                case Operation.LookAhead or Operation.NegativeLookAhead:
                    failed = (Run(text, position, instruction + 1) >= 0) != (step.Operation == Operation.LookAhead);
                    instruction = step.First;
                    break;
                default:
                    result = position;
                    count = -1;
                    break;
            }
            if (count < 0) break;
            if (!failed) continue;
            if (count == 0) break;
            position = pending[--count];
            instruction = pending[--count];
        }
        ArrayPool<int>.Shared.Return(pending);
        return result;
    }

    private static void Enlarge(ref int[] pending)
    {
        var larger = ArrayPool<int>.Shared.Rent(pending.Length * 2);
        pending.CopyTo(larger, 0);
        ArrayPool<int>.Shared.Return(pending);
        pending = larger;
    }
}

/// <summary>Hugging Face's Split with a regular expression: isolates every match.</summary>
internal sealed class PatternSplitter(RunePattern pattern) : TextSplitter
{
    public override int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        var end = pattern.MatchEnd(text, start);
        if (end > start) return end;
        for (end = start; end < text.Length && pattern.MatchEnd(text, end) <= end;)
        {
            Rune.DecodeFromUtf16(text[end..], out _, out var length);
            end += length;
        }
        return end;
    }
}

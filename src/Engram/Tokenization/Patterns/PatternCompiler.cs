namespace Engram.Tokenization.Patterns;

/// <summary>
/// Turns the tree of a pattern into instructions. Counted repetitions are written out, so that a step depends on nothing but its place in
/// the text.
/// </summary>
internal sealed class PatternCompiler
{
    /// <summary>In characters and in instructions.</summary>
    public const int LongestProgram = 10_000;

    // A condition that looks back tries every length.
    private const int LongestLookBehind = 255;

    private readonly List<Instruction> _program = [];
    private readonly Dictionary<RuneRanges, RuneSet> _sets = [];

    /// <summary>Number of branches in the program.</summary>
    public int Branches { get; private set; }

    /// <summary>Number of runs in the program.</summary>
    public int Runs { get; private set; }

    /// <exception cref="FormatException">The program would be too long, or a condition looks back too far.</exception>
    public Instruction[] Compile(PatternNode pattern)
    {
        Emit(pattern);
        Emit(new Instruction(Operation.Accept));
        return [.. _program];
    }

    private void Emit(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.One one:
                Emit(new Instruction(Operation.Take, Set: Set(one.Set)));
                break;
            case PatternNode.Row row:
                foreach (var part in row.Parts)
                    Emit(part);
                break;
            case PatternNode.Choice choice:
                EmitChoice(choice);
                break;
            case PatternNode.Repeated repeated:
                EmitRepeated(repeated);
                break;
            case PatternNode.Look look:
                EmitLook(look);
                break;
            case PatternNode.Atomic atomic:
                EmitAtomic(atomic.Part);
                break;
            case PatternNode.At at:
                Emit(new Instruction(Operation.Assert, Place: at.Place));
                break;
            default:
                throw new InvalidOperationException($"A pattern holds {node}.");
        }
    }

    private void EmitChoice(PatternNode.Choice choice)
    {
        var jumps = new List<int>();
        for (var i = 0; i < choice.Parts.Count; i++)
        {
            var part = choice.Parts[i];
            var last = i == choice.Parts.Count - 1;
            var branch = _program.Count;
            if (!last)
                Emit(
                    new Instruction(
                        Operation.Branch,
                        branch + 1,
                        Set: Beginning(part),
                        SecondSet: Beginning(new PatternNode.Choice([.. choice.Parts.Skip(i + 1)])),
                        Number: Branches++
                    )
                );
            Emit(part);
            if (last)
                continue;
            jumps.Add(_program.Count);
            Emit(default(Instruction));
            _program[branch] = _program[branch] with { Second = _program.Count };
        }
        foreach (var jump in jumps)
            _program[jump] = new Instruction(Operation.Jump, _program.Count);
    }

    private void EmitRepeated(PatternNode.Repeated repeated)
    {
        if (repeated.Most == 0)
            return;
        if (repeated.Part is PatternNode.One one && repeated.Greed != Greed.Lazy)
        {
            Emit(
                new Instruction(
                    repeated.Greed == Greed.Possessive ? Operation.FinalRun : Operation.Run,
                    Least: repeated.Least,
                    Most: repeated.Most,
                    Set: Set(one.Set),
                    Number: Runs++
                )
            );
            return;
        }
        if (repeated.Greed == Greed.Possessive)
        {
            EmitAtomic(repeated with { Greed = Greed.Greedy });
            return;
        }
        for (var copy = 0; copy < repeated.Least; copy++)
            Emit(repeated.Part);
        var body = Beginning(repeated.Part);
        var lazy = repeated.Greed == Greed.Lazy;
        if (repeated.Most == int.MaxValue)
        {
            var loop = _program.Count;
            Emit(default(Instruction));
            Emit(repeated.Part);
            Emit(new Instruction(Operation.Jump, loop));
            _program[loop] = Optional(loop + 1, _program.Count, body, lazy);
            return;
        }
        var options = new List<int>();
        for (var copy = repeated.Least; copy < repeated.Most; copy++)
        {
            options.Add(_program.Count);
            Emit(default(Instruction));
            Emit(repeated.Part);
        }
        foreach (var option in options)
            _program[option] = Optional(option + 1, _program.Count, body, lazy);
    }

    private Instruction Optional(int body, int end, RuneSet? beginning, bool lazy) =>
        lazy
            ? new Instruction(Operation.Branch, end, body, SecondSet: beginning, Number: Branches++)
            : new Instruction(Operation.Branch, body, end, Set: beginning, Number: Branches++);

    private void EmitLook(PatternNode.Look look)
    {
        var start = _program.Count;
        Emit(default(Instruction));
        Emit(look.Part);
        Emit(new Instruction(Operation.Accept));
        if (!look.Behind)
        {
            _program[start] = new Instruction(look.Negated ? Operation.NoLookAhead : Operation.LookAhead, _program.Count);
            return;
        }
        var (least, most) = look.Part.Length;
        if (most > LongestLookBehind)
            throw new FormatException($"looks back more than {LongestLookBehind} characters, which is not supported");
        _program[start] = new Instruction(
            look.Negated ? Operation.NoLookBehind : Operation.LookBehind,
            _program.Count,
            Least: (int)least,
            Most: (int)most
        );
    }

    private void EmitAtomic(PatternNode part)
    {
        var start = _program.Count;
        Emit(default(Instruction));
        Emit(part);
        Emit(new Instruction(Operation.Accept));
        _program[start] = new Instruction(Operation.Atomic, _program.Count);
    }

    private void Emit(Instruction instruction)
    {
        if (_program.Count == LongestProgram)
            throw new FormatException($"becomes more than {LongestProgram} steps, which is too long");
        _program.Add(instruction);
    }

    private RuneSet? Beginning(PatternNode node) => node.CanBeEmpty ? null : Set(node.First);

    private RuneSet Set(RuneRanges ranges)
    {
        if (!_sets.TryGetValue(ranges, out var set))
            _sets.Add(ranges, set = new RuneSet(ranges));
        return set;
    }
}

using System.Globalization;
using System.Text;
using static Engram.Tokenization.RunePattern;

namespace Engram.Tokenization;

/// <summary>
/// Compiles the supported syntax: literals, ".", classes with ranges, \p{…} and \P{…} with general categories, \s \S \d \D, the escapes of control
/// characters and punctuation, groups "(…)", "(?:…)", "(?i:…)", look-ahead "(?=…)" and "(?!…)", alternatives, greedy ? * + {n} {n,} {n,m}. Anything else is
/// refused, not guessed. A repeated group may neither contain a repetition nor match nothing, which keeps matching time polynomial.
/// </summary>
internal sealed class RunePatternParser(string pattern)
{
    /// <summary>In characters and in instructions.</summary>
    public const int LongestProgram = 10_000;

    private const int DeepestNesting = 64;

    private readonly List<Instruction> _program = [];
    private int _at;
    private int _depth;

    /// <summary>What a part of the pattern is like; decides how it may be repeated.</summary>
    private readonly record struct Shape(bool CanBeEmpty, bool Repeats);

    public Instruction[] Parse()
    {
        if (pattern.Length > LongestProgram) throw new FormatException($"a pattern of {pattern.Length} characters is too long");
        Alternatives(ignoreCase: false);
        if (_at < pattern.Length) throw Unsupported("an unmatched \")\"");
        Emit(new Instruction(Operation.Accept));
        return [.. _program];
    }

    private Shape Alternatives(bool ignoreCase)
    {
        if (++_depth > DeepestNesting) throw Unsupported("groups nested this deeply");
        var start = _program.Count;
        var shape = Sequence(ignoreCase);
        var jumps = new List<int>();
        while (TryTake('|'))
        {
            Insert(start, new Instruction(Operation.Branch, start + 1, _program.Count + 2));
            jumps.Add(_program.Count);
            Emit(default);
            start = _program.Count;
            var next = Sequence(ignoreCase);
            shape = new Shape(shape.CanBeEmpty || next.CanBeEmpty, shape.Repeats || next.Repeats);
        }
        foreach (var jump in jumps) _program[jump] = new Instruction(Operation.Jump, _program.Count);
        _depth--;
        return shape;
    }

    private Shape Sequence(bool ignoreCase)
    {
        var shape = new Shape(CanBeEmpty: true, Repeats: false);
        while (_at < pattern.Length && pattern[_at] is not ('|' or ')'))
        {
            var start = _program.Count;
            var atom = Quantified(start, Atom(ignoreCase));
            shape = new Shape(shape.CanBeEmpty && atom.CanBeEmpty, shape.Repeats || atom.Repeats);
        }
        return shape;
    }

    private Shape Atom(bool ignoreCase)
    {
        switch (pattern[_at])
        {
            case '(':
                return Group(ignoreCase);
            case '[':
                Emit(new Instruction(Operation.Take, Set: Class(ignoreCase)));
                break;
            case '.':
                _at++;
                Emit(new Instruction(Operation.Take, Set: new RuneSet([new RuneSet.Part('\n', '\n')], negated: true, ignoreCase: false)));
                break;
            case '\\':
                Emit(new Instruction(Operation.Take, Set: new RuneSet(WithBothCases(Escape(), ignoreCase), negated: false, ignoreCase)));
                break;
            case ']' or '{' or '}' or '?' or '*' or '+' or '^' or '$':
                throw Unsupported($"\"{pattern[_at]}\" here");
            default:
                Emit(new Instruction(Operation.Take, Set: new RuneSet(WithBothCases(Literal(), ignoreCase), negated: false, ignoreCase)));
                break;
        }
        return new Shape(CanBeEmpty: false, Repeats: false);
    }

    private Shape Group(bool ignoreCase)
    {
        _at++;
        var look = Operation.Accept;   // no look-ahead
        if (TryTake('?'))
        {
            if (TryTake("i:")) ignoreCase = true;
            else if (TryTake('=')) look = Operation.LookAhead;
            else if (TryTake('!')) look = Operation.NegativeLookAhead;
            else if (!TryTake(':')) throw Unsupported("this kind of group");
        }
        var start = _program.Count;
        if (look != Operation.Accept) Emit(default);
        var shape = Alternatives(ignoreCase);
        if (!TryTake(')')) throw Unsupported("a group without an end");
        if (look == Operation.Accept) return shape;
        Emit(new Instruction(Operation.Accept));
        _program[start] = new Instruction(look, _program.Count);
        return new Shape(CanBeEmpty: true, shape.Repeats);
    }

    private Shape Quantified(int start, Shape atom)
    {
        if (Quantifier() is not var (least, most)) return atom;
        if (_at < pattern.Length && pattern[_at] is '?' or '*' or '+' or '{') throw Unsupported("a lazy, possessive or doubled quantifier");
        if (atom.Repeats || atom.CanBeEmpty) throw Unsupported("repeating what itself repeats or can be empty");

        var body = _program[start..];
        _program.RemoveRange(start, body.Count);
        for (var copy = 0; copy < least; copy++) EmitCopy(body, start);
        if (most is null)
        {
            var loop = _program.Count;
            Emit(new Instruction(Operation.Branch, loop + 1, loop + body.Count + 2));
            EmitCopy(body, start);
            Emit(new Instruction(Operation.Jump, loop));
        }
        else
        {
            var end = _program.Count + ((most.Value - least) * (body.Count + 1));
            for (var copy = least; copy < most; copy++)
            {
                Emit(new Instruction(Operation.Branch, _program.Count + 1, end));
                EmitCopy(body, start);
            }
        }
        return new Shape(CanBeEmpty: least == 0, Repeats: true);
    }

    private (int Least, int? Most)? Quantifier()
    {
        if (TryTake('?')) return (0, 1);
        if (TryTake('*')) return (0, null);
        if (TryTake('+')) return (1, null);
        if (!TryTake('{')) return null;
        var least = Number();
        int? most = least;
        if (TryTake(',')) most = _at < pattern.Length && pattern[_at] == '}' ? null : Number();
        if (!TryTake('}') || most < least || most == 0) throw Unsupported("this quantifier");
        return (least, most);
    }

    private int Number()
    {
        var start = _at;
        while (_at < pattern.Length && char.IsAsciiDigit(pattern[_at])) _at++;
        return int.TryParse(pattern.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= LongestProgram
            ? number
            : throw Unsupported("this quantifier");
    }

    private RuneSet Class(bool ignoreCase)
    {
        _at++;
        var negated = TryTake('^');
        var parts = new List<RuneSet.Part>();
        while (!TryTake(']'))
        {
            if (_at == pattern.Length) throw Unsupported("a class without an end");
            if (pattern[_at] == '[' || pattern.AsSpan(_at).StartsWith("&&")) throw Unsupported("a class inside a class");
            var part = pattern[_at] == '\\' ? Escape() : Literal();
            if (_at + 1 < pattern.Length && pattern[_at] == '-' && pattern[_at + 1] != ']')
            {
                _at++;
                var last = pattern[_at] == '\\' ? Escape() : Literal();
                if (part.Low != part.High || last.Low != last.High || last.Low < part.Low) throw Unsupported("this range");
                part = part with { High = last.Low };
            }
            parts.AddRange(WithBothCases(part, ignoreCase));
        }
        return parts.Count > 0 ? new RuneSet(parts, negated, ignoreCase) : throw Unsupported("an empty class");
    }

    private RuneSet.Part Literal()
    {
        if (Rune.DecodeFromUtf16(pattern.AsSpan(_at), out var rune, out var length) != System.Buffers.OperationStatus.Done) throw Unsupported("half a surrogate pair");
        _at += length;
        return new RuneSet.Part(rune.Value, rune.Value);
    }

    private RuneSet.Part Escape()
    {
        if (++_at == pattern.Length) throw Unsupported("a trailing backslash");
        var kind = pattern[_at++];
        switch (kind)
        {
            case 's' or 'S': return new RuneSet.Part(WhiteSpace: true, Negated: kind == 'S');
            case 'd' or 'D': return new RuneSet.Part(Categories: 1u << (int)UnicodeCategory.DecimalDigitNumber, Negated: kind == 'D');
            case 'r': return new RuneSet.Part('\r', '\r');
            case 'n': return new RuneSet.Part('\n', '\n');
            case 't': return new RuneSet.Part('\t', '\t');
            case 'f': return new RuneSet.Part('\f', '\f');
            case 'v': return new RuneSet.Part('\v', '\v');
            case 'p' or 'P':
                var end = pattern.IndexOf('}', _at);
                if (!TryTake('{') || end < 0 || RuneSet.CategoriesNamed(pattern[_at..end]) is not { } categories) throw Unsupported("this property");
                _at = end + 1;
                return new RuneSet.Part(Categories: categories, Negated: kind == 'P');
            default:
                if (!char.IsAscii(kind) || char.IsAsciiLetterOrDigit(kind)) throw Unsupported($"\"\\{kind}\"");
                return new RuneSet.Part(kind, kind);
        }
    }

    /// <summary>Ignoring case, a set compares both cases of a rune with both cases of the literal; a range is compared as it is.</summary>
    private static IEnumerable<RuneSet.Part> WithBothCases(RuneSet.Part part, bool ignoreCase)
    {
        yield return part;
        if (!ignoreCase || part.Low != part.High) yield break;
        var (lower, upper) = (Rune.ToLowerInvariant(new Rune(part.Low)).Value, Rune.ToUpperInvariant(new Rune(part.Low)).Value);
        yield return new RuneSet.Part(lower, lower);
        yield return new RuneSet.Part(upper, upper);
    }

    /// <summary>Appends a copy of code that was compiled to stand at <paramref name="origin"/>.</summary>
    private void EmitCopy(List<Instruction> body, int origin)
    {
        var shift = _program.Count - origin;
        foreach (var step in body) Emit(step.Operation is Operation.Take or Operation.Accept ? step : step with { First = step.First + shift, Second = step.Second + shift });
    }

    /// <summary>Makes room in front of finished code; its targets move along.</summary>
    private void Insert(int at, Instruction instruction)
    {
        var body = _program[at..];
        _program.RemoveRange(at, body.Count);
        Emit(instruction);
        EmitCopy(body, at);
    }

    private void Emit(Instruction instruction)
    {
        if (_program.Count == LongestProgram) throw Unsupported("a pattern this long");
        _program.Add(instruction);
    }

    private bool TryTake(char unit)
    {
        if (_at == pattern.Length || pattern[_at] != unit) return false;
        _at++;
        return true;
    }

    private bool TryTake(string units)
    {
        if (!pattern.AsSpan(_at).StartsWith(units)) return false;
        _at += units.Length;
        return true;
    }

    private FormatException Unsupported(string what) => new($"the pattern {Excerpt.Of(pattern)} uses {what} at position {_at}, which is not supported");
}

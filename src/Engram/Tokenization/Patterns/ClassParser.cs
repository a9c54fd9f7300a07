namespace Engram.Tokenization.Patterns;

/// <summary>
/// Reads a class, "[…]": runes, ranges, escapes, properties, [:names:], classes inside it, intersections with "&amp;&amp;", negation.
/// </summary>
internal sealed class ClassParser(PatternReader reader)
{
    private const int DeepestNesting = 64;

    private int _depth;

    /// <summary>The class that begins here, before its negation.</summary>
    /// <returns>The members named, and whether the class is everything else.</returns>
    public (RuneRanges Named, bool Negated) Read()
    {
        if (++_depth > DeepestNesting)
            throw reader.Unsupported("classes nested this deeply");
        reader.TryTake('[');
        var negated = reader.TryTake('^');
        RuneRanges? before = null;
        var set = RuneRanges.None;
        // "]" directly behind the beginning is itself, if another one follows.
        if (reader.Next == ']' && HasAnotherEnd())
            set = RuneRanges.Of(reader.Rune());
        while (!reader.TryTake(']'))
        {
            if (reader.AtEnd)
                throw reader.Unsupported("a class without an end");
            if (reader.TryTake("&&"))
            {
                before = before?.Intersection(set) ?? set;
                set = RuneRanges.None;
            }
            else
                set = set.Union(Member());
        }
        _depth--;
        if (before is null && set.Count == 0)
            throw reader.Unsupported("an empty class");
        return (before?.Intersection(set) ?? set, negated);
    }

    private RuneRanges Member()
    {
        if (reader.Sees("[:") && Bracket() is { } bracket)
            return bracket;
        if (reader.Next == '[')
        {
            var (named, negated) = Read();
            return negated ? named.Complement() : named;
        }
        if (Single(out var first) is { } set)
            return set;
        var position = reader.Position;
        if (!reader.TryTake('-'))
            return RuneRanges.Of(first);
        if (reader.AtEnd || reader.Next is ']' or '[' || reader.Sees("&&"))
        {
            reader.Position = position; // a hyphen before the end is itself
            return RuneRanges.Of(first);
        }
        if (Single(out var last) is not null || last < first)
            throw reader.Unsupported("this range");
        return RuneRanges.Of(first, last);
    }

    private RuneRanges? Single(out int scalar)
    {
        if (reader.TryTake('\\'))
        {
            if (reader.TryTake('b'))
            {
                scalar = '\b';
                return null;
            }
            return reader.Escape(inClass: true, out scalar);
        }
        scalar = reader.Rune();
        return null;
    }

    /// <summary>A name such as [:alpha:]; null when the bracket begins something else.</summary>
    private RuneRanges? Bracket()
    {
        var position = reader.Position;
        reader.TryTake("[:");
        var negated = reader.TryTake('^');
        var name = reader.TakeUntil(":]");
        if (name is null || !name.All(char.IsAsciiLetter))
        {
            reader.Position = position;
            return null;
        }
        // In brackets, and only there, "punct" includes the symbols.
        var set =
            name == "punct" ? UnicodeProperties.Punctuation.Union(UnicodeProperties.Find("S")!)
            : name
                is "alnum"
                    or "alpha"
                    or "blank"
                    or "cntrl"
                    or "digit"
                    or "graph"
                    or "lower"
                    or "print"
                    or "space"
                    or "upper"
                    or "xdigit"
                    or "word"
                    or "ascii"
                ? UnicodeProperties.Find(name)!
            : throw reader.Unsupported($"the class [:{name}:]");
        return negated ? set.Complement() : set;
    }

    private bool HasAnotherEnd()
    {
        var position = reader.Position;
        reader.TryTake(']');
        var found = reader.TakeUntil("]") is not null;
        reader.Position = position;
        return found;
    }
}

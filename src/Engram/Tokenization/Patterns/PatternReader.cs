using System.Buffers;
using System.Globalization;

namespace Engram.Tokenization.Patterns;

/// <summary>Characters and escapes of a pattern, read one after the other.</summary>
internal sealed class PatternReader(string pattern)
{
    private const int LongestName = 60;

    private int _at;

    public bool AtEnd => _at == pattern.Length;

    /// <summary>The code unit that comes next; U+0000 at the end.</summary>
    public char Next => AtEnd ? '\0' : pattern[_at];

    /// <summary>Where reading is, to return to.</summary>
    public int Position
    {
        get => _at;
        set => _at = value;
    }

    public bool Sees(string units) => pattern.AsSpan(_at).StartsWith(units, StringComparison.Ordinal);

    public bool TryTake(char unit)
    {
        if (AtEnd || pattern[_at] != unit)
            return false;
        _at++;
        return true;
    }

    public bool TryTake(string units)
    {
        if (!Sees(units))
            return false;
        _at += units.Length;
        return true;
    }

    /// <summary>The text up to <paramref name="end"/>, which is taken too; null when it does not come.</summary>
    public string? TakeUntil(string end)
    {
        var at = pattern.IndexOf(end, _at, StringComparison.Ordinal);
        if (at < 0)
            return null;
        var text = pattern[_at..at];
        _at = at + end.Length;
        return text;
    }

    /// <summary>One rune as it stands.</summary>
    public int Rune()
    {
        if (System.Text.Rune.DecodeFromUtf16(pattern.AsSpan(_at), out var rune, out var length) != OperationStatus.Done)
            throw Unsupported("half a surrogate pair");
        _at += length;
        return rune.Value;
    }

    /// <summary>Decimal digits, or null when there are none.</summary>
    public int? Number()
    {
        var start = _at;
        while (!AtEnd && char.IsAsciiDigit(pattern[_at]))
            _at++;
        if (start == _at)
            return null;
        return
            int.TryParse(pattern.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number <= PatternCompiler.LongestProgram
            ? number
            : throw Unsupported("a number this large");
    }

    /// <summary>After a backslash: the set that the escape names, or null with the scalar that it stands for.</summary>
    /// <param name="inClass">
    /// Whether the escape stands in brackets, where \w is a little less; see <see cref="UnicodeProperties.LoneWord"/>.
    /// </param>
    /// <param name="scalar">The scalar.</param>
    public RuneRanges? Escape(bool inClass, out int scalar)
    {
        if (AtEnd)
            throw Unsupported("a trailing backslash");
        scalar = Rune();
        switch (scalar)
        {
            case 's':
                return UnicodeProperties.WhiteSpace;
            case 'S':
                return UnicodeProperties.WhiteSpace.Complement();
            case 'd':
                return UnicodeProperties.DecimalNumber;
            case 'D':
                return UnicodeProperties.DecimalNumber.Complement();
            case 'w':
                return Word(inClass);
            case 'W':
                return Word(inClass).Complement();
            case 'h':
                return UnicodeProperties.Find("XDigit");
            case 'H':
                return UnicodeProperties.Find("XDigit")!.Complement();
            case 'p' or 'P':
                return Property(scalar == 'P', inClass);
            case 'r':
                scalar = '\r';
                return null;
            case 'n':
                scalar = '\n';
                return null;
            case 't':
                scalar = '\t';
                return null;
            case 'f':
                scalar = '\f';
                return null;
            case 'v':
                scalar = '\v';
                return null;
            case 'a':
                scalar = '\a';
                return null;
            case 'e':
                scalar = '\e';
                return null;
            case 'x':
                scalar = HexEscape();
                return null;
            case 'u':
                scalar = Hex(4, 4);
                return null;
        }
        return scalar < 128 && char.IsAsciiLetterOrDigit((char)scalar) ? throw Unsupported($"\"\\{(char)scalar}\"") : null;
    }

    private static RuneRanges Word(bool inClass) => inClass ? UnicodeProperties.Word : UnicodeProperties.LoneWord;

    private RuneRanges Property(bool negated, bool inClass)
    {
        if (!TryTake('{'))
            throw Unsupported("a property without braces");
        negated ^= TryTake('^');
        var start = _at;
        var name = TakeUntil("}");
        if (name is not null && !name.StartsWith('#') && UnicodeProperties.Find(name) is { } set)
        {
            if (ReferenceEquals(set, UnicodeProperties.Word))
                set = Word(inClass);
            return negated ? set.Complement() : set;
        }
        _at = start;
        throw Unsupported(name is { Length: <= LongestName } ? $"the property \"{name}\"" : "this property");
    }

    private int HexEscape()
    {
        if (!TryTake('{'))
            return Hex(1, 2) is < 128 and var value ? value : throw Unsupported("a single byte of a character");
        var scalar = Hex(1, 8);
        return TryTake('}') ? scalar : throw Unsupported("\"\\x{\" without an end");
    }

    private int Hex(int least, int most)
    {
        var start = _at;
        while (_at - start < most && !AtEnd && char.IsAsciiHexDigit(pattern[_at]))
            _at++;
        return
            _at - start >= least
            && int.TryParse(
                pattern.AsSpan(start, _at - start),
                NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture,
                out var scalar
            )
            && System.Text.Rune.IsValid(scalar)
            ? scalar
            : throw Unsupported("a code that is no character");
    }

    /// <summary>The complaint about what stands here.</summary>
    public FormatException Unsupported(string what) => new($"uses {what} at position {_at}, which is not supported");
}

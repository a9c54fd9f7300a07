namespace Engram.Tokenization.Patterns;

/// <summary>
/// Reads a regular expression of Oniguruma's Ruby syntax, the dialect of tokenizer.json: literals, ".", classes, escapes and properties
/// (see <see cref="ClassParser"/>, <see cref="PatternReader"/>), groups "(…)" "(?:…)" "(?&lt;name&gt;…)" "(?i:…)" "(?m:…)" "(?&gt;…)",
/// options "(?i)", look-ahead and look-behind, alternatives, greedy, lazy and possessive ? * + {n} {n,} {,m} {n,m}, ^ $ \A \z \Z \b \B \G
/// \R \O \N. Anything else is refused, not guessed.
/// </summary>
internal sealed class PatternParser
{
    private const int DeepestNesting = 64;

    private readonly PatternReader _reader;
    private readonly ClassParser _classes;
    private int _depth;

    private PatternParser(string pattern)
    {
        _reader = new PatternReader(pattern);
        _classes = new ClassParser(_reader);
    }

    private readonly record struct Options(bool IgnoreCase, bool DotTakesLineFeed);

    /// <exception cref="FormatException">The pattern uses something outside the supported syntax.</exception>
    public static PatternNode Parse(string pattern)
    {
        if (pattern.Length > PatternCompiler.LongestProgram)
            throw new FormatException($"has {pattern.Length} characters, which is too long");
        var parser = new PatternParser(pattern);
        var node = parser.Alternatives(default);
        return parser._reader.AtEnd ? node : throw parser._reader.Unsupported("an unmatched \")\"");
    }

    private PatternNode Alternatives(Options options)
    {
        if (++_depth > DeepestNesting)
            throw _reader.Unsupported("groups nested this deeply");
        var parts = new List<PatternNode> { Row(options) };
        while (_reader.TryTake('|'))
            parts.Add(Row(options));
        _depth--;
        return parts.Count == 1 ? parts[0] : new PatternNode.Choice(parts);
    }

    private PatternNode Row(Options options)
    {
        var parts = new List<PatternNode>();
        while (!_reader.AtEnd && _reader.Next is not ('|' or ')'))
        {
            if (_reader.TryTake("(?#"))
            {
                if (_reader.TakeUntil(")") is null)
                    throw _reader.Unsupported("a comment without an end");
                continue;
            }
            parts.Add(Quantified(Atom(options)));
        }
        return new PatternNode.Row([.. LetterRows.Replaced(parts)]);
    }

    private PatternNode Atom(Options options)
    {
        switch (_reader.Next)
        {
            case '(':
                return Group(options);
            case '[':
                var (named, negated) = _classes.Read();
                return Set(named, negated, options);
            case '.':
                _reader.TryTake('.');
                return new PatternNode.One(options.DotTakesLineFeed ? RuneRanges.All : RuneRanges.Of('\n').Complement());
            case '^':
                _reader.TryTake('^');
                return new PatternNode.At(Place.LineStart);
            case '$':
                _reader.TryTake('$');
                return new PatternNode.At(Place.LineEnd);
            case '?' or '*' or '+':
                throw _reader.Unsupported($"\"{_reader.Next}\" with nothing before it");
            case '\\':
                _reader.TryTake('\\');
                return Escape(options);
            default:
                return Scalar(_reader.Rune(), options);
        }
    }

    private PatternNode Escape(Options options)
    {
        Place? place = _reader.Next switch
        {
            'A' => Place.TextStart,
            'z' => Place.TextEnd,
            'Z' => Place.LastLineEnd,
            'b' => Place.WordBoundary,
            'B' => Place.NoWordBoundary,
            'G' => Place.SearchStart,
            _ => null,
        };
        if (place is not null)
        {
            _reader.Rune();
            return new PatternNode.At(place.Value);
        }
        if (_reader.TryTake('R'))
        {
            var lines = RuneRanges.Of('\n', '\r').Union(RuneRanges.Of(0x85)).Union(RuneRanges.Of(0x2028, 0x2029));
            return new PatternNode.Atomic(
                new PatternNode.Choice([
                    new PatternNode.Row([new PatternNode.One(RuneRanges.Of('\r')), new PatternNode.One(RuneRanges.Of('\n'))]),
                    new PatternNode.One(lines),
                ])
            );
        }
        if (_reader.TryTake('O'))
            return new PatternNode.One(RuneRanges.All);
        if (_reader.TryTake('N'))
            return new PatternNode.One(RuneRanges.Of('\n').Complement());
        // A set named by an escape is taken as it is, also where case is ignored.
        return _reader.Escape(inClass: false, out var scalar) is { } set ? new PatternNode.One(set) : Scalar(scalar, options);
    }

    private static PatternNode Scalar(int scalar, Options options) =>
        options.IgnoreCase ? new PatternNode.Letter(scalar) : new PatternNode.One(RuneRanges.Of(scalar));

    private static PatternNode Set(RuneRanges named, bool negated, Options options)
    {
        var set = options.IgnoreCase ? CaseFolding.Closure(named) : named;
        if (negated || !options.IgnoreCase)
            return new PatternNode.One(negated ? set.Complement() : set);
        var rows = CaseFolding.Rows.Where(entry => named.Contains(entry.Scalar)).Select(entry => LetterRows.Of(entry.Row)).ToList();
        return rows.Count == 0 ? new PatternNode.One(set) : new PatternNode.Choice([new PatternNode.One(set), .. rows]);
    }

    private PatternNode Group(Options options)
    {
        _reader.TryTake('(');
        if (!_reader.TryTake('?'))
            return Ended(Alternatives(options));
        if (_reader.TryTake(':'))
            return Ended(Alternatives(options));
        if (_reader.TryTake('>'))
            return new PatternNode.Atomic(Ended(Alternatives(options)));
        if (_reader.TryTake('='))
            return new PatternNode.Look(Ended(Alternatives(options)), Behind: false, Negated: false);
        if (_reader.TryTake('!'))
            return new PatternNode.Look(Ended(Alternatives(options)), Behind: false, Negated: true);
        if (_reader.TryTake("<="))
            return new PatternNode.Look(Ended(Alternatives(options)), Behind: true, Negated: false);
        if (_reader.TryTake("<!"))
            return new PatternNode.Look(Ended(Alternatives(options)), Behind: true, Negated: true);
        if (_reader.TryTake('<'))
        {
            if (_reader.TakeUntil(">") is not { Length: > 0 } name || !name.All(unit => unit == '_' || char.IsAsciiLetterOrDigit(unit)))
                throw _reader.Unsupported("this name of a group");
            return Ended(Alternatives(options));
        }
        var changed = Changed(options);
        if (_reader.TryTake(':'))
            return Ended(Alternatives(changed));
        // "(?i)" holds to the end of the group around it, alternatives included.
        if (!_reader.TryTake(')'))
            throw _reader.Unsupported("this kind of group");
        return Alternatives(changed);
    }

    private Options Changed(Options options)
    {
        for (var value = true; ; )
        {
            if (_reader.TryTake('i'))
                options = options with { IgnoreCase = value };
            else if (_reader.TryTake('m'))
                options = options with { DotTakesLineFeed = value };
            else if (value && _reader.TryTake('-'))
                value = false;
            else
                return options;
        }
    }

    private PatternNode Ended(PatternNode node) => _reader.TryTake(')') ? node : throw _reader.Unsupported("a group without an end");

    private PatternNode Quantified(PatternNode node)
    {
        while (Quantifier() is var (least, most, inBraces))
        {
            if (node is PatternNode.At or PatternNode.Look)
                throw _reader.Unsupported("the repetition of a condition");
            if (most == int.MaxValue && node.CanBeEmpty)
                throw _reader.Unsupported("an endless repetition of what can be empty");
            var greed = Greed.Greedy;
            if (_reader.Next == '?' && !(inBraces && least == most))
            {
                _reader.TryTake('?');
                greed = Greed.Lazy;
            }
            // Behind braces "+" is another repetition.
            else if (!inBraces && _reader.TryTake('+'))
                greed = Greed.Possessive;
            node = new PatternNode.Repeated(LetterRows.Single(node), least, most, greed);
        }
        return node;
    }

    private (int Least, int Most, bool InBraces)? Quantifier()
    {
        if (_reader.TryTake('?'))
            return (0, 1, false);
        if (_reader.TryTake('*'))
            return (0, int.MaxValue, false);
        if (_reader.TryTake('+'))
            return (1, int.MaxValue, false);
        var position = _reader.Position;
        if (!_reader.TryTake('{'))
            return null;
        var least = _reader.Number();
        var comma = _reader.TryTake(',');
        var most = comma ? _reader.Number() : least;
        if ((least is null && most is null) || !_reader.TryTake('}'))
        {
            _reader.Position = position; // braces without numbers are text
            return null;
        }
        if (most < (least ?? 0))
            throw _reader.Unsupported("a repetition whose limits are exchanged");
        return (least ?? 0, most ?? int.MaxValue, true);
    }
}

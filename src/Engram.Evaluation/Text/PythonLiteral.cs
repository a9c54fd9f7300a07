using System.Globalization;
using System.Numerics;
using System.Text;

namespace Engram.Evaluation.Text;

/// <summary>
/// Values written as Python writes them: numbers, strings, bytes, None, True, False, lists, tuples, sets and dictionaries. Data sets keep
/// lists this way, and answers about programs are such values. Nothing is executed.
/// </summary>
public static class PythonLiteral
{
    // Deeper nesting than any data set's; text that a model made may nest without end.
    private const int DeepestNesting = 100;

    /// <summary>
    /// The value as .NET objects: null, <see cref="bool"/>, <see cref="BigInteger"/>, <see cref="double"/>, <see cref="string"/>,
    /// <see cref="PythonBytes"/> or <see cref="PythonCollection"/>.
    /// </summary>
    /// <param name="text">One literal and nothing else but white space.</param>
    /// <param name="value">What it stands for.</param>
    public static bool TryParse(string text, out object? value)
    {
        var reader = new Reader(text);
        return reader.TryValue(out value, 0) && reader.AtEnd;
    }

    /// <summary>A list, tuple or set of strings and numbers as texts; null if the text is none.</summary>
    public static IReadOnlyList<string>? Strings(string text) =>
        TryParse(text, out var value) && value is PythonCollection { Kind: not PythonCollectionKind.Dictionary } list
            ? [.. list.Items.Select(item => item is string words ? words : Show(item))]
            : null;

    /// <summary>
    /// Whether Python's <c>==</c> holds between two values: 1, 1.0 and True are equal; sets and dictionaries have no order.
    /// </summary>
    public static bool AreEqual(object? one, object? other) =>
        (one, other) switch
        {
            (null, null) => true,
            (string a, string b) => a == b,
            (PythonBytes a, PythonBytes b) => a.Text == b.Text,
            (PythonCollection a, PythonCollection b) => a.Kind == b.Kind
                && a.Items.Count == b.Items.Count
                && (
                    a.Kind is PythonCollectionKind.Set or PythonCollectionKind.Dictionary
                        ? HaveSameMembers(a, b)
                        : a.Items.Zip(b.Items).All(pair => AreEqual(pair.First, pair.Second))
                ),
            (bool or BigInteger or double, bool or BigInteger or double) => NumbersAreEqual(one, other),
            _ => false,
        };

    private static bool HaveSameMembers(PythonCollection one, PythonCollection other)
    {
        if (one.Kind == PythonCollectionKind.Set)
            return one.Items.All(item => other.Items.Any(candidate => AreEqual(item, candidate)));
        return one.Items.All(entry =>
            other.Items.Any(candidate =>
                AreEqual(((PythonCollection)entry!).Items[0], ((PythonCollection)candidate!).Items[0])
                && AreEqual(((PythonCollection)entry!).Items[1], ((PythonCollection)candidate!).Items[1])
            )
        );
    }

    private static bool NumbersAreEqual(object one, object other)
    {
        if (one is double || other is double)
        {
            var (a, b) = (one is double x ? x : (double)Whole(one), other is double y ? y : (double)Whole(other));
            return a == b;
        }
        return Whole(one) == Whole(other);
    }

    private static BigInteger Whole(object value) => value is bool flag ? (flag ? BigInteger.One : BigInteger.Zero) : (BigInteger)value;

    private static string Show(object? value) =>
        value switch
        {
            null => "None",
            bool flag => flag ? "True" : "False",
            double number => PythonFloat.Format(number),
            BigInteger whole => whole.ToString(CultureInfo.InvariantCulture),
            PythonBytes bytes => bytes.Text,
            PythonCollection items => string.Join(", ", items.Items.Select(Show)),
            _ => (string)value,
        };

    private sealed class Reader(string text)
    {
        private int _at;

        public bool AtEnd
        {
            get
            {
                SkipSpace();
                return _at == text.Length;
            }
        }

        public bool TryValue(out object? value, int depth)
        {
            value = null;
            SkipSpace();
            if (_at == text.Length || depth > DeepestNesting)
                return false;
            switch (text[_at])
            {
                case '[':
                    return TryItems(']', PythonCollectionKind.List, out value, depth);
                case '(':
                    return TryItems(')', PythonCollectionKind.Tuple, out value, depth);
                case '{':
                    return TryBraces(out value, depth);
                case '\'' or '"':
                    return TryStrings(out value);
                case 'b' or 'B' when _at + 1 < text.Length && text[_at + 1] is '\'' or '"':
                    _at++;
                    var ok = TryStrings(out value);
                    value = new PythonBytes(value as string ?? "");
                    return ok;
                default:
                    return TryWord("None", null, out value)
                        || TryWord("True", true, out value)
                        || TryWord("False", false, out value)
                        || TryEmptySet(out value)
                        || TryNumber(out value);
            }
        }

        private bool TryEmptySet(out object? value)
        {
            value = new PythonCollection(PythonCollectionKind.Set, []);
            return TryText("set()");
        }

        private bool TryWord(string word, object? meaning, out object? value)
        {
            value = meaning;
            return TryText(word) && (_at == text.Length || !char.IsLetterOrDigit(text[_at]) && text[_at] != '_');
        }

        private bool TryText(string expected)
        {
            if (!text.AsSpan(_at).StartsWith(expected, StringComparison.Ordinal))
                return false;
            _at += expected.Length;
            return true;
        }

        private bool TryItems(char close, PythonCollectionKind kind, out object? value, int depth)
        {
            value = null;
            var items = new List<object?>();
            var comma = false;
            _at++;
            while (true)
            {
                SkipSpace();
                if (_at == text.Length)
                    return false;
                if (text[_at] == close)
                    break;
                if (items.Count > 0 && !comma || !TryValue(out var item, depth + 1))
                    return false;
                items.Add(item);
                comma = TryComma();
            }
            _at++;
            // (x) is x in brackets, (x,) a tuple.
            value = kind == PythonCollectionKind.Tuple && items.Count == 1 && !comma ? items[0] : new PythonCollection(kind, items);
            return true;
        }

        private bool TryBraces(out object? value, int depth)
        {
            value = null;
            var (items, pairs, comma) = (new List<object?>(), 0, false);
            _at++;
            while (true)
            {
                SkipSpace();
                if (_at == text.Length)
                    return false;
                if (text[_at] == '}')
                    break;
                if (items.Count > 0 && !comma || !TryValue(out var key, depth + 1))
                    return false;
                SkipSpace();
                if (_at < text.Length && text[_at] == ':')
                {
                    _at++;
                    if (!TryValue(out var entry, depth + 1))
                        return false;
                    Put(items, key, entry);
                    pairs++;
                }
                else if (!items.Any(known => AreEqual(known, key)))
                {
                    items.Add(key);
                }
                if (pairs > 0 && items.Any(item => item is not PythonCollection { Kind: PythonCollectionKind.Entry }))
                    return false;
                comma = TryComma();
            }
            _at++;
            value = new PythonCollection(pairs > 0 || items.Count == 0 ? PythonCollectionKind.Dictionary : PythonCollectionKind.Set, items);
            return true;
        }

        /// <summary>The last value of a repeated key counts.</summary>
        private static void Put(List<object?> entries, object? key, object? value)
        {
            entries.RemoveAll(known =>
                known is PythonCollection { Kind: PythonCollectionKind.Entry } entry && AreEqual(entry.Items[0], key)
            );
            entries.Add(new PythonCollection(PythonCollectionKind.Entry, [key, value]));
        }

        private bool TryComma()
        {
            SkipSpace();
            if (_at == text.Length || text[_at] != ',')
                return false;
            _at++;
            return true;
        }

        private bool TryNumber(out object? value)
        {
            value = null;
            var start = _at;
            while (_at < text.Length && text[_at] is '+' or '-')
                _at++;
            while (
                _at < text.Length
                && (
                    char.IsAsciiLetterOrDigit(text[_at])
                    || text[_at] is '.' or '_'
                    || text[_at] is '+' or '-' && text[_at - 1] is 'e' or 'E'
                )
            )
                _at++;
            var number = text.AsSpan(start, _at - start).ToString().Replace("_", "", StringComparison.Ordinal);
            if (
                number.Length == 0
                || !char.IsAsciiDigit(number[^1]) && number[^1] != '.'
                || number.Contains("0x", StringComparison.OrdinalIgnoreCase)
            )
                return false;
            if (BigInteger.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
                value = whole;
            else if (
                double.TryParse(
                    number,
                    NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                    CultureInfo.InvariantCulture,
                    out var real
                )
            )
                value = real;
            return value is not null;
        }

        /// <summary>One string, or several side by side, which Python joins.</summary>
        private bool TryStrings(out object? value)
        {
            var joined = new StringBuilder();
            value = null;
            while (_at < text.Length && text[_at] is '\'' or '"')
            {
                if (!TryString(joined))
                    return false;
                SkipSpace();
            }
            value = joined.ToString();
            return true;
        }

        private bool TryString(StringBuilder into)
        {
            var quote = text[_at];
            var triple = text.AsSpan(_at).StartsWith(new string(quote, 3));
            var end = new string(quote, triple ? 3 : 1);
            _at += end.Length;
            while (_at < text.Length)
            {
                if (text.AsSpan(_at).StartsWith(end))
                {
                    _at += end.Length;
                    return true;
                }
                if (text[_at] == '\n' && !triple)
                    return false;
                if (text[_at] != '\\')
                    into.Append(text[_at++]);
                else if (!TryEscape(into))
                    return false;
            }
            return false;
        }

        private bool TryEscape(StringBuilder into)
        {
            if (_at + 1 == text.Length)
                return false;
            var letter = text[_at + 1];
            _at += 2;
            switch (letter)
            {
                case '\n':
                    return true;
                case 'n':
                    into.Append('\n');
                    return true;
                case 't':
                    into.Append('\t');
                    return true;
                case 'r':
                    into.Append('\r');
                    return true;
                case 'a':
                    into.Append('\a');
                    return true;
                case 'b':
                    into.Append('\b');
                    return true;
                case 'f':
                    into.Append('\f');
                    return true;
                case 'v':
                    into.Append('\v');
                    return true;
                case '\\' or '\'' or '"':
                    into.Append(letter);
                    return true;
                case 'x':
                    return TryCode(2, into);
                case 'u':
                    return TryCode(4, into);
                case 'U':
                    return TryCode(8, into);
                case >= '0' and <= '7':
                    var code = letter - '0';
                    for (var more = 0; more < 2 && _at < text.Length && text[_at] is >= '0' and <= '7'; more++)
                        code = code * 8 + text[_at++] - '0';
                    into.Append((char)code);
                    return true;
                default:
                    into.Append('\\').Append(letter);
                    return true;
            }
        }

        private bool TryCode(int digits, StringBuilder into)
        {
            if (
                _at + digits > text.Length
                || !uint.TryParse(text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
                || code > 0x10FFFF
            )
                return false;
            _at += digits;
            if (Rune.IsValid(code))
                into.Append(new Rune(code).ToString());
            else
                into.Append((char)code);
            return true;
        }

        private void SkipSpace()
        {
            while (_at < text.Length && char.IsWhiteSpace(text[_at]))
                _at++;
        }
    }
}

/// <summary>What kind of collection a Python literal is. An entry is one key and value of a dictionary.</summary>
public enum PythonCollectionKind
{
    /// <summary>[…]</summary>
    List,

    /// <summary>(…)</summary>
    Tuple,

    /// <summary>{…}</summary>
    Set,

    /// <summary>{key: value, …}</summary>
    Dictionary,

    /// <summary>One key and its value.</summary>
    Entry,
}

/// <summary>A list, tuple, set or dictionary (whose items are entries).</summary>
public sealed record PythonCollection(PythonCollectionKind Kind, IReadOnlyList<object?> Items);

/// <summary>A bytes literal, each byte a character.</summary>
public sealed record PythonBytes(string Text);

using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace Engram.Evaluation.Text;

/// <summary>
/// Final answers of mathematics in LaTeX: where they stand, how they are normalised, when two are equal. The rules are those of Minerva
/// (2206.14858, appendix D) and of the MATH data set (2103.03874, <c>math_equivalence.py</c>), between them an exact comparison of rational
/// numbers; no computer algebra, so a score is a lower bound.
/// </summary>
public static partial class MathText
{
    /// <summary>What an answer that could not be found is called.</summary>
    public const string Invalid = "[invalidanswer]";

    private static readonly (string Old, string New)[] Substitutions =
    [
        ("an ", ""),
        ("a ", ""),
        (".$", "$"),
        (@"\$", ""),
        (@"\ ", ""),
        (" ", ""),
        ("mbox", "text"),
        (@",\text{and}", ","),
        (@"\text{and}", ","),
        (@"\text{m}", @"\text{}"),
    ];

    private static readonly string[] Removed =
    [
        "square",
        "ways",
        "integers",
        "dollars",
        "mph",
        "inches",
        "ft",
        "hours",
        "km",
        "units",
        @"\ldots",
        "sue",
        "points",
        "feet",
        "minutes",
        "digits",
        "cents",
        "degrees",
        "cm",
        "gm",
        "pounds",
        "meters",
        "meals",
        "edges",
        "students",
        "childrentickets",
        "multiples",
        @"\text{s}",
        @"\text{.}",
        "\\text{\ns}",
        @"\text{}^2",
        @"\text{}^3",
        "\\text{\n}",
        @"\text{}",
        @"\mathrm{th}",
        @"^\circ",
        @"^{\circ}",
        @"\;",
        @",\!",
        "{,}",
        "\"",
        @"\dots",
    ];

    /// <summary>
    /// The content of the last <c>\boxed</c> or <c>\fbox</c>, braces inside it counted; null if there is none or its braces do not close.
    /// </summary>
    public static string? LastBoxed(string text)
    {
        var at = Math.Max(text.LastIndexOf(@"\boxed", StringComparison.Ordinal), text.LastIndexOf(@"\fbox", StringComparison.Ordinal));
        if (at < 0)
            return null;
        var start = at + (text.AsSpan(at).StartsWith(@"\boxed", StringComparison.Ordinal) ? @"\boxed".Length : @"\fbox".Length);
        if (start < text.Length && text[start] == ' ')
            return text[(start + 1)..].Split('$')[0]; // "\boxed 5": up to the end of the formula
        if (start == text.Length || text[start] != '{')
            return null;
        var depth = 0;
        for (var i = start; i < text.Length; i++)
        {
            depth += text[i] switch
            {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            if (depth == 0)
                return text[(start + 1)..i];
        }
        return null;
    }

    /// <summary>What stands between the fixed closing phrases of Minerva's format; <see cref="Invalid"/> if they do not occur.</summary>
    public static string MinervaAnswer(string text)
    {
        // The closing phrase is a stop string too, and then cut off.
        var match = ClosingPhrase().Match(text + "I hope it is correct.");
        return match.Success ? match.Groups[1].Value.Trim() : Invalid;
    }

    /// <summary>
    /// Minerva's normaliser: the part behind the last "=", without units, text, boxes, spaces and dollar signs; shorthand fractions and
    /// roots written out; no thousands commas.
    /// </summary>
    public static string Minerva(string answer)
    {
        answer = answer[(answer.LastIndexOf('=') + 1)..];
        foreach (var (old, replacement) in Substitutions)
            answer = answer.Replace(old, replacement, StringComparison.Ordinal);
        foreach (var word in Removed)
            answer = answer.Replace(word, "", StringComparison.Ordinal);
        answer = BetweenDollars().Replace(answer, "$$$3$$");
        answer = TextCommand().Replace(answer, "$2");
        answer = BoldCommand().Replace(answer, "$2");
        answer = LineCommand().Replace(answer, "$2");
        answer = BoxCommand().Replace(answer, "$2");
        answer = ShortFraction().Replace(answer, "frac{$2}{$3}");
        answer = ShortRoot().Replace(answer, "sqrt{$2}");
        answer = answer.Replace("$", "", StringComparison.Ordinal);
        var digits = answer.Replace(",", "", StringComparison.Ordinal);
        return digits.Length > 0 && digits.All(char.IsDigit) ? digits : answer;
    }

    /// <summary>
    /// The MATH data set's normaliser (<c>strip_string</c>): spacing, degree and percent signs, units, "\left", display fractions and
    /// shorthands unified.
    /// </summary>
    public static string Hendrycks(string answer)
    {
        answer = answer
            .Replace("\n", "", StringComparison.Ordinal)
            .Replace(@"\!", "", StringComparison.Ordinal)
            .Replace(@"\\", @"\", StringComparison.Ordinal)
            .Replace("tfrac", "frac", StringComparison.Ordinal)
            .Replace("dfrac", "frac", StringComparison.Ordinal)
            .Replace(@"\left", "", StringComparison.Ordinal)
            .Replace(@"\right", "", StringComparison.Ordinal)
            .Replace(@"^{\circ}", "", StringComparison.Ordinal)
            .Replace(@"^\circ", "", StringComparison.Ordinal)
            .Replace(@"\$", "", StringComparison.Ordinal);
        if (answer.IndexOf(@"\text{ ", StringComparison.Ordinal) is var unit and >= 0)
            answer = answer[..unit];
        answer = answer
            .Replace(@"\%", "", StringComparison.Ordinal)
            .Replace("%", "", StringComparison.Ordinal)
            .Replace(" .", " 0.", StringComparison.Ordinal)
            .Replace("{.", "{0.", StringComparison.Ordinal);
        if (answer.Length == 0)
            return answer;
        if (answer[0] == '.')
            answer = "0" + answer;
        // "x = 5" and "k=5" name the unknown; longer left sides are part of the answer.
        if (answer.Split('=') is { Length: 2 } sides && sides[0].Length <= 2)
            answer = sides[1];
        answer = BareRoot().Replace(answer, "sqrt{$1}").Replace(" ", "", StringComparison.Ordinal);
        answer = BareFraction().Replace(answer, match => $"\\frac{{{match.Groups[1].Value}}}{{{match.Groups[2].Value}}}");
        if (answer == "0.5")
            answer = @"\frac{1}{2}";
        return Slash().Match(answer) is { Success: true } slash ? $"\\frac{{{slash.Groups[1].Value}}}{{{slash.Groups[2].Value}}}" : answer;
    }

    /// <summary>
    /// Whether two answers are the same: as Minerva writes them, as exact rational numbers, or as the MATH data set writes them.
    /// </summary>
    public static bool AreEqual(string prediction, string gold)
    {
        var (one, other) = (Minerva(prediction), Minerva(gold));
        return one == other
            || TryRational(one, out var a) && TryRational(other, out var b) && a.Numerator * b.Denominator == b.Numerator * a.Denominator
            || Hendrycks(prediction) == Hendrycks(gold);
    }

    /// <summary>
    /// Whether an answer of a cloze question equals the gold answer, both by the MATH data set's rule: AGIEval's comparison.
    /// </summary>
    public static bool AreEqualCloze(string prediction, string gold) => Hendrycks(prediction) == Hendrycks(gold);

    private static bool TryRational(string text, out (BigInteger Numerator, BigInteger Denominator) value)
    {
        value = default;
        text = text.Replace(@"\%", "", StringComparison.Ordinal)
            .Replace(@"\dfrac", @"\frac", StringComparison.Ordinal)
            .Replace(@"\tfrac", @"\frac", StringComparison.Ordinal);
        var negative = text.StartsWith('-');
        var unsigned = negative ? text[1..] : text;
        (BigInteger, BigInteger) parsed;
        if (FractionCommand().Match(unsigned) is { Success: true } fraction)
        {
            if (
                !TryDecimal(fraction.Groups[1].Value, out var top)
                || !TryDecimal(fraction.Groups[2].Value, out var bottom)
                || bottom.Numerator.IsZero
            )
                return false;
            parsed = (top.Numerator * bottom.Denominator, top.Denominator * bottom.Numerator);
        }
        else if (unsigned.Split('/') is { Length: 2 } sides)
        {
            if (!TryDecimal(sides[0], out var top) || !TryDecimal(sides[1], out var bottom) || bottom.Numerator.IsZero)
                return false;
            parsed = (top.Numerator * bottom.Denominator, top.Denominator * bottom.Numerator);
        }
        else if (TryDecimal(unsigned, out var number))
        {
            parsed = number;
        }
        else
        {
            return false;
        }
        value = negative ? (-parsed.Item1, parsed.Item2) : parsed;
        return true;
    }

    private static bool TryDecimal(string text, out (BigInteger Numerator, BigInteger Denominator) value)
    {
        value = default;
        text = Thousands().IsMatch(text) ? text.Replace(",", "", StringComparison.Ordinal) : text;
        if (!Decimal().IsMatch(text))
            return false;
        var point = text.IndexOf('.');
        var digits = point < 0 ? text : text.Remove(point, 1);
        value = (
            BigInteger.Parse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
            BigInteger.Pow(10, point < 0 ? 0 : text.Length - point - 1)
        );
        return true;
    }

    [GeneratedRegex(@"Final Answer: The final answer is(.*?). I hope it is correct.", RegexOptions.CultureInvariant)]
    private static partial Regex ClosingPhrase();

    [GeneratedRegex(@"(.*?)(\$)(.*?)(\$)(.*)", RegexOptions.CultureInvariant)]
    private static partial Regex BetweenDollars();

    [GeneratedRegex(@"(\\text\{)(.*?)(\})", RegexOptions.CultureInvariant)]
    private static partial Regex TextCommand();

    [GeneratedRegex(@"(\\textbf\{)(.*?)(\})", RegexOptions.CultureInvariant)]
    private static partial Regex BoldCommand();

    [GeneratedRegex(@"(\\overline\{)(.*?)(\})", RegexOptions.CultureInvariant)]
    private static partial Regex LineCommand();

    [GeneratedRegex(@"(\\boxed\{)(.*)(\})", RegexOptions.CultureInvariant)]
    private static partial Regex BoxCommand();

    [GeneratedRegex(@"(frac)([^{])(.)", RegexOptions.CultureInvariant)]
    private static partial Regex ShortFraction();

    [GeneratedRegex(@"(sqrt)([^{])", RegexOptions.CultureInvariant)]
    private static partial Regex ShortRoot();

    [GeneratedRegex(@"sqrt([^{])", RegexOptions.CultureInvariant)]
    private static partial Regex BareRoot();

    [GeneratedRegex(@"\\frac([^{])\{?([^{}])\}?", RegexOptions.CultureInvariant)]
    private static partial Regex BareFraction();

    [GeneratedRegex(@"^(-?[0-9]+)/(-?[0-9]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Slash();

    [GeneratedRegex(@"^\\frac\{([^{}]*)\}\{([^{}]*)\}$", RegexOptions.CultureInvariant)]
    private static partial Regex FractionCommand();

    [GeneratedRegex(@"^-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Thousands();

    [GeneratedRegex(@"^-?([0-9]+\.?[0-9]*|\.[0-9]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Decimal();
}

using System.Globalization;

namespace Engram.Evaluation.Text;

/// <summary>
/// What Python's <c>float()</c> reads and how its <c>str()</c> writes it: the rules by which published scorers compare numbers in answers.
/// </summary>
public static class PythonFloat
{
    /// <summary>
    /// Reads a number as Python's <c>float(text)</c> does: white space around it, single underscores between digits, "inf", "infinity" and
    /// "nan" in any case.
    /// </summary>
    /// <param name="text">What may be a number.</param>
    /// <param name="value">The number; 0 if there is none.</param>
    public static bool TryParse(ReadOnlySpan<char> text, out double value)
    {
        text = text.Trim();
        value = 0;
        var unsigned = text.TrimStart("+-");
        if (text.Length - unsigned.Length > 1 || unsigned.IsEmpty)
            return false;
        var negative = text[0] == '-';
        if (unsigned.Equals("inf", StringComparison.OrdinalIgnoreCase) || unsigned.Equals("infinity", StringComparison.OrdinalIgnoreCase))
            value = negative ? double.NegativeInfinity : double.PositiveInfinity;
        else if (unsigned.Equals("nan", StringComparison.OrdinalIgnoreCase))
            value = double.NaN;
        else if (!HasOnlyNumberCharacters(unsigned))
            return false;
        else
            return double.TryParse(
                text.ToString().Replace("_", "", StringComparison.Ordinal),
                NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture,
                out value
            );
        return true;
    }

    /// <summary>
    /// The shortest text that reads back as the number, with ".0" for whole ones and an exponent below 1e-4 and from 1e16 on, as Python's
    /// <c>str(float)</c>.
    /// </summary>
    public static string Format(double value)
    {
        if (double.IsNaN(value))
            return "nan";
        if (double.IsInfinity(value))
            return value > 0 ? "inf" : "-inf";
        if (value == 0)
            return double.IsNegative(value) ? "-0.0" : "0.0";
        var scientific = value.ToString("E16", CultureInfo.InvariantCulture);
        var exponent = int.Parse(
            scientific.AsSpan(scientific.IndexOf('E') + 1),
            NumberStyles.AllowLeadingSign,
            CultureInfo.InvariantCulture
        );
        var digits = Digits(value, out var sign);
        if (exponent is >= -4 and < 16)
            return sign + Fixed(digits, exponent);
        var mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
        return $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    private static bool HasOnlyNumberCharacters(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var digitsAround =
                text[i] == '_' && i > 0 && i + 1 < text.Length && char.IsAsciiDigit(text[i - 1]) && char.IsAsciiDigit(text[i + 1]);
            if (!char.IsAsciiDigit(text[i]) && text[i] is not ('.' or 'e' or 'E' or '+' or '-') && !digitsAround)
                return false;
        }
        return true;
    }

    private static string Digits(double value, out string sign)
    {
        sign = value < 0 ? "-" : "";
        var shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        var mantissa = shortest.Split('E')[0].Replace(".", "", StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
        return mantissa.Length == 0 ? "0" : mantissa;
    }

    private static string Fixed(string digits, int exponent)
    {
        if (exponent < 0)
            return $"0.{new string('0', -exponent - 1)}{digits}";
        return exponent + 1 >= digits.Length
            ? $"{digits}{new string('0', exponent + 1 - digits.Length)}.0"
            : $"{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }
}

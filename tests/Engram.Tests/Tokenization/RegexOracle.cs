using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Engram.Tests.Tokenization;

/// <summary>
/// The framework's regular expressions, made to count Unicode scalar values: every rune beyond U+FFFF is replaced by a basic-plane
/// character of the same general category before matching. Slow and obvious; independent of the scanners and of <c>RunePattern</c>.
/// </summary>
internal static class RegexOracle
{
    private static readonly Dictionary<UnicodeCategory, char> StandIns = Enumerable
        .Range(0x0250, 0xFFFF - 0x0250)
        .Where(unit => !char.IsWhiteSpace((char)unit) && unit is not ((>= 0x3040 and <= 0x30FF) or (>= 0x4E00 and <= 0x9FA5)))
        .GroupBy(unit => CharUnicodeInfo.GetUnicodeCategory((char)unit))
        .ToDictionary(group => group.Key, group => (char)group.First());

    /// <summary>Splits by each pattern in turn, isolating matches; what lies between matches stays a piece.</summary>
    public static List<string> Split(string text, params Regex[] stages)
    {
        var pieces = new List<string>();
        if (text.Length > 0)
            pieces.Add(text);
        foreach (var stage in stages)
            pieces = [.. pieces.SelectMany(piece => Isolate(piece, stage))];
        return pieces;
    }

    private static IEnumerable<string> Isolate(string text, Regex pattern)
    {
        var runes = text.EnumerateRunes().ToArray();
        var mapped = string.Concat(runes.Select(rune => rune.IsBmp ? (char)rune.Value : StandIns[Rune.GetUnicodeCategory(rune)]));
        var (covered, lastEnd) = (0, -1);
        foreach (Match match in pattern.Matches(mapped))
        {
            if (match.Length == 0 && match.Index == lastEnd)
                continue; // an empty match counts unless it follows a match directly
            if (match.Index > covered)
                yield return string.Concat(runes[covered..match.Index]);
            covered = lastEnd = match.Index + match.Length;
            if (match.Length > 0)
                yield return string.Concat(runes[match.Index..covered]);
        }
        if (covered < runes.Length)
            yield return string.Concat(runes[covered..]);
    }
}

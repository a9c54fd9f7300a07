using System.Globalization;
using System.Text.RegularExpressions;

namespace Engram.Evaluation.LongPpl;

/// <summary>A part of a text, in characters (Unicode code points, as the published interval files count).</summary>
/// <param name="Start">First character.</param>
/// <param name="End">Behind the last.</param>
public readonly partial record struct TextInterval(int Start, int End)
{
    /// <summary>Intervals in one line, as published: <c>[3, 9];[12, 14]</c>.</summary>
    public static string Format(IEnumerable<TextInterval> intervals) =>
        string.Join(';', intervals.Select(interval => $"[{interval.Start}, {interval.End}]"));

    /// <summary>Reads what <see cref="Format"/> writes; a text of white space holds none.</summary>
    /// <param name="text">The line.</param>
    /// <param name="name">What messages call the file.</param>
    /// <exception cref="InvalidDataException">It is something else, or intervals are out of order, overlap or are empty.</exception>
    public static IReadOnlyList<TextInterval> Parse(string text, string name)
    {
        var intervals = new List<TextInterval>();
        if (string.IsNullOrWhiteSpace(text))
            return intervals;
        foreach (var part in text.Trim().Split(';'))
        {
            var match = Form().Match(part);
            if (
                !match.Success
                || !int.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var start)
                || !int.TryParse(match.Groups[2].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var end)
            )
                throw new InvalidDataException(
                    $"{name}: '{(part.Length > 40 ? part[..40] + "…" : part)}' is no interval; intervals are written [start, end] with ; "
                        + "between them."
                );
            if (end <= start || (intervals.Count > 0 && start < intervals[^1].End))
                throw new InvalidDataException($"{name}: the interval {part.Trim()} is empty, or not behind the one before it.");
            intervals.Add(new TextInterval(start, end));
        }
        return intervals;
    }

    /// <summary>Ascending intervals with those joined that touch or overlap, as tokens do that share a character.</summary>
    public static IReadOnlyList<TextInterval> Merge(IEnumerable<TextInterval> ascending)
    {
        var merged = new List<TextInterval>();
        foreach (var interval in ascending)
            if (merged.Count > 0 && interval.Start <= merged[^1].End)
                merged[^1] = merged[^1] with { End = Math.Max(merged[^1].End, interval.End) };
            else
                merged.Add(interval);
        return merged;
    }

    /// <summary>Whether another one lies within.</summary>
    public bool Contains(TextInterval other) => other.Start >= Start && other.End <= End;

    [GeneratedRegex(@"^\s*\[\s*(\d+)\s*,\s*(\d+)\s*\]\s*$")]
    private static partial Regex Form();
}

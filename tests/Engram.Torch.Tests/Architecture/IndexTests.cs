using System.Text.RegularExpressions;

namespace Engram.Torch.Tests.Architecture;

/// <summary>What docs/architecture.md says about where things are is so.</summary>
public partial class IndexTests
{
    [Fact]
    public void What_the_index_names_is_there()
    {
        var rows = File.ReadLines(Path.Combine(Repository.Root, "docs", "architecture.md"))
            .SkipWhile(line => line != "## Where to find what")
            .Skip(1)
            .TakeWhile(line => !line.StartsWith('#'))
            .Where(line => line.Contains("`src/", StringComparison.Ordinal))
            .ToList();
        for (var equation = 1; equation <= 6; equation++)
            Assert.Single(rows, row => row.StartsWith($"| Eq. {equation}:", StringComparison.Ordinal));
        foreach (var row in rows)
        foreach (Match path in Paths().Matches(row))
        {
            var file = Path.Combine(Repository.Root, path.Groups[1].Value);
            Assert.True(Path.Exists(file), $"docs/architecture.md names {path.Groups[1].Value}, which is not there.");
            if (Equation().Match(row) is { Success: true } equation)
                Assert.Contains(equation.Groups[1].Value, EquationsIn(File.ReadAllText(file)));
        }
    }

    // "Eq. 1", "Eq. 4 and 6", "Eq. 3–6"
    private static IEnumerable<string> EquationsIn(string source) =>
        Mentions()
            .Matches(source)
            .SelectMany(match =>
            {
                var (first, last) = (
                    int.Parse(match.Groups[1].ValueSpan),
                    match.Groups[3].Success ? int.Parse(match.Groups[3].ValueSpan) : int.Parse(match.Groups[1].ValueSpan)
                );
                return match.Groups[2].Value == "–" ? Enumerable.Range(first, last - first + 1) : [first, last];
            })
            .Select(equation => $"Eq. {equation}:");

    [GeneratedRegex(@"`(src/[^`]+)`")]
    private static partial Regex Paths();

    [GeneratedRegex(@"^\| (Eq\. \d:)")]
    private static partial Regex Equation();

    [GeneratedRegex(@"\bEq\. (\d)(?:( and |–)(\d))?")]
    private static partial Regex Mentions();
}

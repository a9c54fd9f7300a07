namespace Engram.Torch.Tests.Architecture;

/// <summary>No line of a source is longer than the formatter's width, unless a string literal on it is what is long.</summary>
public class LineTests
{
    private const int Width = 140;

    // A line is long by its literal if that alone takes most of the width.
    private const int LongLiteral = 100;

    private static readonly string[] Folders = ["src", "tests", "bench", "samples"];

    [Fact]
    public void Lines_are_long_by_string_literals_only() =>
        Assert.Empty(
            Folders
                .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories))
                .SelectMany(file => TooLong(File.ReadLines(file)).Select(line => $"{Path.GetRelativePath(Repository.Root, file)}:{line}"))
        );

    [Fact]
    public void A_long_line_is_seen_where_there_is_one()
    {
        var (fits, longer) = (new string('x', Width), new string('x', Width + 1));
        Assert.Empty(TooLong([fits]));
        Assert.Equal([2], TooLong([fits, longer]));
        Assert.Equal([1], TooLong([$"/// {fits}"]));
        Assert.Equal([1], TooLong([$"{fits} + \"a word\";"]));
        Assert.Empty(TooLong([$"return \"{longer}\";"]));
        Assert.Empty(TooLong(["var text = \"\"\"", longer, "    \"\"\";"]));
        Assert.Equal([4], TooLong(["var text = \"\"\"", longer, "    \"\"\";", longer]));
    }

    /// <summary>Numbers, from 1, of the lines that are too long.</summary>
    private static IEnumerable<int> TooLong(IEnumerable<string> lines)
    {
        var (number, inRawLiteral) = (0, false);
        foreach (var line in lines)
        {
            number++;
            var literal = line.LastIndexOf('"') - line.IndexOf('"');
            if (line.Length > Width && !inRawLiteral && literal < LongLiteral)
                yield return number;
            inRawLiteral ^= (line.Split("\"\"\"").Length - 1) % 2 == 1;
        }
    }
}

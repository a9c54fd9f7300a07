using System.Globalization;

namespace Engram.Tokenization.Patterns;

/// <summary>
/// Reads unicode.txt, the resource beside this file: one named list a line, numbers in hexadecimal. bench/rivals/unicode_tables.js makes
/// it.
/// </summary>
internal static class UnicodeTable
{
    private const string Resource = "Engram.Tokenization.Patterns.unicode.txt";

    private static readonly Lazy<Dictionary<string, string[]>> Lines = new(() =>
    {
        using var stream = typeof(UnicodeTable).Assembly.GetManifestResourceStream(Resource)!;
        using var reader = new StreamReader(stream);
        return reader
            .ReadToEnd()
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(words => words[0], words => words[1..], StringComparer.Ordinal);
    });

    /// <summary>Every set of the table with its name. Names with "#" are for this library alone; no pattern can say them.</summary>
    public static IEnumerable<(string Name, RuneRanges Values)> Sets() =>
        Lines
            .Value.Where(line => !line.Key.StartsWith("#Equal", StringComparison.Ordinal))
            .Select(line => (line.Key, RuneRanges.OfAscending(line.Value.Select(Range))));

    /// <summary>Scalars that are equal when case is ignored, two or more together.</summary>
    public static IEnumerable<int[]> EqualScalars()
    {
        foreach (var group in Lines.Value["#Equal_Groups"])
            yield return [.. group.Split('=').Select(Number)];
        foreach (var row in Lines.Value["#Equal_Pairs"])
        {
            var numbers = row.Split('-', '/', '+').Select(Number).ToArray();
            for (var scalar = numbers[0]; scalar <= numbers[1]; scalar += numbers[2])
                yield return [scalar, scalar + numbers[3]];
        }
    }

    /// <summary>Scalars that are equal to a row of others when case is ignored, such as ß to "ss".</summary>
    public static IEnumerable<(int Scalar, int[] Row)> EqualRows() =>
        Lines
            .Value["#Equal_Strings"]
            .Select(entry => entry.Split('='))
            .Select(parts => (Number(parts[0]), parts[1].Split('+').Select(Number).ToArray()));

    private static (int, int) Range(string word) =>
        word.IndexOf('-', StringComparison.Ordinal) is > 0 and var dash
            ? (Number(word[..dash]), Number(word[(dash + 1)..]))
            : (Number(word), Number(word));

    private static int Number(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}

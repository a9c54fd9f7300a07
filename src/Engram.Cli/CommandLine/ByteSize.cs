using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Engram.Cli.CommandLine;

/// <summary>Numbers of bytes as people write them: 4096, 512KiB, 64MiB, 2GiB, 1TiB.</summary>
internal static class ByteSize
{
    private static readonly (string Suffix, int Bits)[] Units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("", 0)];

    /// <summary>An option that takes one, at least 1 byte.</summary>
    public static Option<long?> Option(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "SIZE",
            CustomParser = given => Parse(given, name, given.Tokens is [var only] ? only.Value : ""),
        };

    /// <summary>An option that may be given several times.</summary>
    public static Option<long[]> Options(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "SIZE",
            CustomParser = given => [.. given.Tokens.Select(token => Parse(given, name, token.Value) ?? 0)],
        };

    private static long? Parse(ArgumentResult given, string name, string text)
    {
        if (Parse(text) is { } bytes)
            return bytes;
        given.AddError($"{name}: '{text}' is no size; write for example 4096, 512KiB, 64MiB or 2GiB.");
        return null;
    }

    /// <summary>The shortest of the texts that are so many bytes.</summary>
    public static string Show(long bytes)
    {
        var (suffix, bits) = Units.Where(unit => bytes % (1L << unit.Bits) == 0).MaxBy(unit => unit.Bits);
        return string.Create(CultureInfo.InvariantCulture, $"{bytes >> bits}{suffix}");
    }

    /// <summary>The number of bytes, or null if the text is none.</summary>
    public static long? Parse(string text)
    {
        var (suffix, bits) = Units.First(unit => text.EndsWith(unit.Suffix, StringComparison.OrdinalIgnoreCase));
        var number = text[..^suffix.Length].TrimEnd();
        return
            long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count > 0
            && count <= long.MaxValue >> bits
            ? count << bits
            : null;
    }
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Engram.Cli.CommandLine;

/// <summary>Where a command writes: its answer to stdout, everything else to stderr.</summary>
internal static class Terminal
{
    // Spectre's width without a terminal is 80, where tables would be broken for readers who have no edge.
    private const int WidthOfFiles = 240;

    private static readonly JsonSerializerOptions Machine = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private static readonly Lazy<IAnsiConsole> LazyAnswer = new(() =>
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected) console.Profile.Width = WidthOfFiles;
        return console;
    });

    /// <summary>Stdout, for tables and coloured text.</summary>
    public static IAnsiConsole Answer => LazyAnswer.Value;

    /// <summary>Writes the machine output of a command with <c>--json</c>: one line of snake_case, the only thing on stdout.</summary>
    public static void Json<T>(T value) => Console.Out.WriteLine(JsonSerializer.Serialize(value, Machine));

    /// <summary>Writes a line to stderr.</summary>
    public static void Note(string line) => Console.Error.WriteLine(line);
}

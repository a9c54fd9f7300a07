using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Corpora.Files;
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
        if (Console.IsOutputRedirected)
            console.Profile.Width = WidthOfFiles;
        return console;
    });

    /// <summary>Stdout, for tables and coloured text.</summary>
    public static IAnsiConsole Answer => LazyAnswer.Value;

    /// <summary>Writes the machine output of a command with <c>--json</c>: one line of snake_case, the only thing on stdout.</summary>
    public static void Json<T>(T value) => Console.Out.WriteLine(JsonText(value));

    /// <summary>The same as text, for a file.</summary>
    public static string JsonText<T>(T value) => JsonSerializer.Serialize(value, Machine);

    /// <summary>Reads stdin to its end. Ctrl-C is heard meanwhile, which a read on the first thread would not let happen.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="InvalidDataException">It is not UTF-8.</exception>
    public static string ReadInput(CancellationToken cancellation) => InputFile.Wait(() => Decode(OpenInput(), "stdin"), cancellation);

    /// <summary>The same for a file, which may be a pipe that nobody writes to yet.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="InvalidDataException">It is not UTF-8.</exception>
    public static string ReadFile(string path, CancellationToken cancellation) =>
        InputFile.Wait(path, file => Decode(File.OpenRead(file), file), cancellation);

    /// <summary>Refuses to wait for a stdin that was closed when the program began.</summary>
    /// <exception cref="IOException">It was.</exception>
    public static void RequireInput()
    {
        // Its number then goes to the first file that the runtime opens, a pipe to itself: the reader would wait for its own writing.
        const string Open = "/proc/self/fd";
        var input = new FileInfo($"{Open}/0").LinkTarget;
        if (input?.StartsWith("pipe:", StringComparison.Ordinal) == true && Directory.GetFiles(Open).Any(WritesToIt))
            throw new IOException("stdin is closed. Give the text in another way.");

        bool WritesToIt(string file)
        {
            try
            {
                // The access is the last digit of the octal flags: 1 is for writing.
                return new FileInfo(file).LinkTarget == input
                    && File.ReadLines($"/proc/self/fdinfo/{Path.GetFileName(file)}")
                        .Any(line => line.StartsWith("flags:", StringComparison.Ordinal) && (line[^1] - '0') % 4 == 1);
            }
            catch (IOException)
            {
                return false; // closed meanwhile
            }
        }
    }

    private static Stream OpenInput()
    {
        RequireInput();
        return Console.OpenStandardInput();
    }

    private static string Decode(Stream content, string name)
    {
        using var reader = new StreamReader(content, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        try
        {
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException($"{name}: not UTF-8 text. Convert it to UTF-8, for example with iconv.", error);
        }
    }

    /// <summary>A path as a word of a suggested command line, in quotes where the shell needs them.</summary>
    public static string Word(string path) =>
        path.Length > 0 && path.All(letter => char.IsAsciiLetterOrDigit(letter) || "/._-+:@%=".Contains(letter, StringComparison.Ordinal))
            ? path
            : $"'{path.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    /// <summary>Writes a line to stderr.</summary>
    public static void Note(string line) => Say($"{line}{Environment.NewLine}");

    /// <summary>
    /// Writes to stderr. What cannot be written there (a full device, a closed terminal) is dropped: it must not end the work that it
    /// speaks of.
    /// </summary>
    public static void Say(string text)
    {
        try
        {
            Console.Error.Write(text);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // There is nowhere left to report it.
        }
    }
}

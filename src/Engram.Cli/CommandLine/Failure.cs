using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Engram.Torch.Native;
using Engram.Training;

namespace Engram.Cli.CommandLine;

/// <summary>The one place where errors become a line on stderr and an exit code.</summary>
internal static partial class Failure
{
    private const int Failed = 1;
    private const int WrongUsage = 2;

    /// <summary>Reports what the parser refused.</summary>
    public static int ReportUsage(ParseResult parsed)
    {
        // A word that is not understood is often the reason why another one is missing.
        var error = parsed.Errors.MinBy(error =>
            error.Message.StartsWith("Unrecognized command or argument '-", StringComparison.Ordinal) ? 0
            : error.Message.StartsWith("Unrecognized", StringComparison.Ordinal) ? 1
            : 2
        )!;
        var name = NameOf(parsed.CommandResult);
        // A model is an argument of some commands and an option of those that read data as well.
        var model =
            error.Message.StartsWith("Unrecognized command or argument '", StringComparison.Ordinal)
            && !error.Message.Contains("'-", StringComparison.Ordinal)
            && parsed.CommandResult.Command.Options.Any(option => option.Name == "--model")
                ? " A model is named with --model."
                : "";
        var message = TypeName().Replace(error.Message, match => match.Groups[1].Value == "Double" ? "as a number" : "as a whole number");
        Terminal.Note($"{name}: {OneLine(message)}{model} See {name} --help.");
        return WrongUsage;
    }

    /// <summary>Reports an exception; with <c>--debug</c> also where it comes from.</summary>
    public static int Report(ParseResult parsed, Exception error)
    {
        error = Innermost(error);
        var refused = Refused(error, parsed.CommandResult.Command);
        Terminal.Note($"{NameOf(parsed.CommandResult)}: {(refused is null ? "" : $"{refused}: ")}{Sentence(error)}");
        if (parsed.GetValue(CommonOptions.Debug))
            Terminal.Note(error.ToString());
        return error is UsageException || refused is not null ? WrongUsage : Failed;
    }

    private static string Sentence(Exception error) =>
        error switch
        {
            ArgumentException when IsOurs(error) => Plain(error),
            UsageException
            or IOException
            or InvalidDataException
            or UnauthorizedAccessException
            or LibTorchException
            or TrainingDivergedException
            or NotSupportedException => Plain(error),
            OutOfMemoryException => "Not enough memory: use a smaller model, batch or length.",
            // libtorch appends its own stack trace.
            ExternalException => $"libtorch failed: {error.Message.Split('\n')[0].Trim()}",
            _ => $"Unexpected error ({error.GetType().Name}): {OneLine(error.Message)} Run it again with --debug and report what it shows.",
        };

    private static Exception Innermost(Exception error) =>
        error switch
        {
            AggregateException or TargetInvocationException or TypeInitializationException when error.InnerException is { } inner =>
                Innermost(inner),
            _ => error,
        };

    /// <summary>An error's sentence without what the runtime appends to it.</summary>
    public static string Plain(Exception error) =>
        OneLine(
            Bound()
                .Replace(
                    Parameter().Replace(error.Message, ""),
                    match =>
                        $"must be at {(match.Groups[2].Value == "greater" ? "least" : "most")} {match.Groups[3]}, not {match.Groups[1]}."
                )
        );

    // The libraries say which of the values given to them they refuse; an option of that name is where it came from. Whatever else is
    // refused as an argument is an error of the program or of its data.
    private static string? Refused(Exception error, Command command) =>
        error is ArgumentException { ParamName: { } given } && IsOurs(error)
            ? command
                .Options.FirstOrDefault(option => option.Name[2..].Replace("-", "").Equals(given, StringComparison.OrdinalIgnoreCase))
                ?.Name
            : null;

    // What the runtime's strings and collections refuse was not given to them by the user. Its exceptions make checks for whoever asks
    // (ThrowIfLessThan): who asked stands below them.
    private static bool IsOurs(Exception error) =>
        new StackTrace(error)
            .GetFrames()
            .Select(frame => frame.GetMethod()?.DeclaringType)
            .FirstOrDefault(type => type is not null && !type.IsAssignableTo(typeof(ArgumentException)))
            is { FullName: { } thrower }
        && thrower.StartsWith("Engram.", StringComparison.Ordinal);

    private static string OneLine(string text) => Whitespace().Replace(text, " ").Trim();

    private static string NameOf(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{NameOf(parent)} {result.Command.Name}" : "engram";

    [GeneratedRegex(@"as expected type 'System\.(?:Nullable`1\[System\.)?(\w+)\]?'")]
    private static partial Regex TypeName();

    // What exceptions of the runtime append to a sentence.
    [GeneratedRegex(@"\s*\(Parameter '\w+'\)|\s*Actual value was .*$")]
    private static partial Regex Parameter();

    // The runtime's words for a bound, after the name of a property that the user has not heard of.
    [GeneratedRegex(@"^\w+ \('([^']*)'\) must be (greater|less) than or equal to '([^']*)'\.")]
    private static partial Regex Bound();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();
}

using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Corpora.Files;

namespace Engram.Cli.Commands;

/// <summary>What the commands that read a corpus share.</summary>
internal static class CorpusInput
{
    private static readonly PreparationOptions Preparation = new();
    private static readonly CorpusOptions Reading = new();

    public static Argument<string> Source() =>
        new("SOURCE")
        {
            Description =
                "A file (.txt, .md, .jsonl, .ndjson, .json, .csv, .tsv or .parquet, also with .gz, .br or .zst behind it), a folder of "
                + "such files, or dotnet-docs for the documentation in the installed .NET SDK",
        };

    public static Option<int> VocabularySize() =>
        new("--vocabulary-size")
        {
            Description = "Token ids of the vocabulary to learn; a small corpus may give fewer",
            HelpName = "N",
            DefaultValueFactory = _ => Preparation.VocabularySize,
        };

    public static Option<string> Field() =>
        new("--field")
        {
            Description = "JSON field or column that holds the text",
            HelpName = "NAME",
            DefaultValueFactory = _ => Reading.TextField,
        };

    public static Option<bool> SkipBad() =>
        new("--skip-bad")
        {
            Description = "Leave out lines, rows and files that cannot be read, and count them; otherwise the first ends the command",
        };

    /// <summary>Says what is read of a folder, and what is not.</summary>
    public static void Note(CorpusSource source)
    {
        if (source.LeftOut.Count == 0)
            return;
        var reasons = source
            .LeftOut.GroupBy(file => file.Reason)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group =>
                $"{group.Count():N0} {group.Key} "
                + $"({string.Join(", ", group.Take(3).Select(file => file.Name))}{(group.Count() > 3 ? ", …" : "")})"
            );
        Terminal.Note($"{source.Spec}: {source.Files.Count():N0} files are read; not read: {string.Join("; ", reasons)}");
    }

    /// <summary>A folder that <c>engram data prepare</c> wrote.</summary>
    public static Option<string> Prepared() =>
        new("--data")
        {
            Description = "A folder written by engram data prepare",
            HelpName = "FOLDER",
            Required = true,
        };

    public static CorpusSource Open(
        ParseResult parsed,
        Argument<string> source,
        Option<string> field,
        CancellationToken cancellation,
        Option<bool>? skipBad = null
    ) =>
        Open(
            parsed.GetRequiredValue(source),
            parsed.GetRequiredValue(field),
            cancellation,
            skipBad is not null && parsed.GetValue(skipBad)
        );

    /// <summary>Opens a corpus: a file, a folder, or dotnet-docs.</summary>
    /// <param name="source">As it was given.</param>
    /// <param name="field">The value of <see cref="Field"/>; null where the command has no such option.</param>
    /// <param name="cancellation">Heard also while a pipe waits for somebody who writes to it.</param>
    /// <param name="skipBad">Whether what cannot be read is left out.</param>
    public static CorpusSource Open(string source, string? field, CancellationToken cancellation, bool skipBad = false)
    {
        InputFile.RequireNoPipe(source, cancellation);
        return CorpusSource.Open(
            source,
            field is null
                ? Reading
                : new CorpusOptions
                {
                    TextField = field,
                    TextFieldRemedy = "Name the text's field with --field.",
                    SkipBad = skipBad,
                }
        );
    }
}

using System.CommandLine;
using Engram.Corpora;

namespace Engram.Cli.Commands;

/// <summary>What the commands that read a corpus share.</summary>
internal static class CorpusInput
{
    private static readonly PreparationOptions Preparation = new();
    private static readonly CorpusOptions Reading = new();

    public static Argument<string> Source() => new("SOURCE")
    {
        Description = "A text file, a .jsonl file, a folder of .txt, .md and .jsonl files, or dotnet-docs for the documentation in the installed .NET SDK",
    };

    public static Option<int> VocabularySize() => new("--vocabulary-size")
    {
        Description = "Token ids of the vocabulary to learn; a small corpus may give fewer", HelpName = "N", DefaultValueFactory = _ => Preparation.VocabularySize,
    };

    public static Option<string> Field() => new("--field")
    {
        Description = "Field of a .jsonl line that holds the text", HelpName = "NAME", DefaultValueFactory = _ => Reading.TextField,
    };

    /// <summary>A folder that <c>engram data prepare</c> wrote.</summary>
    public static Option<string> Prepared() => new("--data") { Description = "A folder written by engram data prepare", HelpName = "FOLDER", Required = true };

    public static CorpusSource Open(ParseResult parsed, Argument<string> source, Option<string> field) =>
        CorpusSource.Open(parsed.GetRequiredValue(source), new CorpusOptions { TextField = parsed.GetRequiredValue(field) });
}

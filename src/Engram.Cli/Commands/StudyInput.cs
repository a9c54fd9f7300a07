using System.CommandLine;
using System.CommandLine.Parsing;
using Engram.Cli.CommandLine;
using Engram.Corpora.Files;
using Engram.Studies.Definitions;
using Engram.Studies.Running;

namespace Engram.Cli.Commands;

/// <summary>What the commands about studies have in common: which study, at which size, where.</summary>
internal sealed class StudyInput
{
    public Argument<string> Name { get; } =
        new("NAME") { Description = "The study, or all; engram study list names them", Arity = ArgumentArity.ExactlyOne };

    public Option<string> Size { get; } =
        new("--size")
        {
            Description = $"How large everything is: {string.Join(", ", StudyLibrary.Sizes.Select(size => size.Name))}",
            HelpName = "SIZE",
            DefaultValueFactory = _ => StudyLibrary.Sizes[0].Name,
        };

    public Option<string> Runs { get; } =
        new("--runs")
        {
            Description = "The folder of prepared texts and trained models",
            HelpName = "FOLDER",
            DefaultValueFactory = _ => Path.Combine("runs", "studies"),
        };

    public Option<string?> Results { get; } =
        new("--results")
        {
            Description =
                "The folder of measured rows and reports; docs/results holds the published ones [default: results in the folder of --runs]",
            HelpName = "FOLDER",
        };

    public Option<string?> Text { get; } =
        new("--text")
        {
            Description =
                "Natural English for the studies that read some: a file or a folder, for example the 100 novels of github.com/computationalstylistics/100_english_novels",
            HelpName = "PATH",
        };

    public IReadOnlyList<Study> Studies(ParseResult parsed, CancellationToken cancellation)
    {
        var name = parsed.GetRequiredValue(Name);
        InputFile.RequireNoPipe(name, cancellation);
        return UsageException.Of(() => StudyLibrary.Named(name, SizeOf(parsed).Name));
    }

    public StudySize SizeOf(ParseResult parsed) => UsageException.Of(() => StudyLibrary.Size(parsed.GetRequiredValue(Size)));

    public StudyFolders Folders(ParseResult parsed)
    {
        var runs = parsed.GetRequiredValue(Runs);
        return new StudyFolders(runs, parsed.GetValue(Results) ?? Path.Combine(runs, "results"));
    }

    public StudyCorpora Corpora(ParseResult parsed, CancellationToken cancellation)
    {
        InputFile.RequireNoPipe(parsed.GetValue(Text), cancellation);
        return new StudyCorpora(Path.Combine(parsed.GetRequiredValue(Runs), "data"), parsed.GetValue(Text));
    }

    /// <summary>The command that reports what a run of these options has measured.</summary>
    public string ReportCommand(ParseResult parsed)
    {
        var given = new[] { Size.Name, Runs.Name, Results.Name }
            .Zip([parsed.GetRequiredValue(Size), parsed.GetRequiredValue(Runs), parsed.GetValue(Results)])
            .Where(option => option.Second is not null && parsed.GetResult(option.First) is OptionResult { Implicit: false })
            .Select(option => $" {option.First} {Terminal.Word(option.Second!)}");
        return $"engram study report {Terminal.Word(parsed.GetRequiredValue(Name))}{string.Concat(given)}";
    }

    /// <summary>How far a run is, one line.</summary>
    public static string Describe(StudyProgress progress) =>
        progress.Total == 0
            ? progress.Activity
            : $"{progress.Done} of {progress.Total} models{TimeLeft.Of(progress.Remaining)}: {string.Join("; ", progress.Running)}";
}

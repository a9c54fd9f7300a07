using System.CommandLine;
using System.Globalization;
using Engram.Cli.CommandLine;
using Engram.Studies.Processes;
using Engram.Studies.Quickstart;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>The first thing to run: five small models, with and without memory, trained and compared.</summary>
internal sealed class QuickstartCommand : CliCommand
{
    private static readonly QuickstartStudy Defaults = QuickstartStudy.Default;

    private readonly Option<string> _output = new("--output")
    {
        Description = "The folder for data, models, results.json and report.html; what is finished there is reused",
        HelpName = "FOLDER",
        DefaultValueFactory = _ => Path.Combine("runs", "quickstart"),
    };
    private readonly Option<string> _source = new("--source")
    {
        Description =
            "The text: a file, a folder (what engram data prepare takes), or dotnet-docs for the documentation in the installed .NET SDK",
        HelpName = "SOURCE",
        DefaultValueFactory = _ => Defaults.Source,
    };
    private readonly Option<string?> _seeds = new("--seeds")
    {
        Description =
            "Seeds, divided by commas; every arm is trained with each of them [default: those of the results that are there, or 1]",
        HelpName = "LIST",
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public QuickstartCommand()
        : base(
            "quickstart",
            "Train a tokenizer and five small models with equal active parameters (dense, two mixtures of experts, Engram, a control), compare them, write a report. Minutes on two cores.",
            "engram quickstart",
            "engram quickstart --seeds 1,2,3",
            "engram quickstart --source speeches --output runs/quickstart-speeches"
        )
    {
        Add(_output);
        Add(_source);
        Add(_seeds);
        Add(_json);
    }

    public override string AfterInterruption(ParseResult parsed) =>
        "The same command goes on from here: finished models are reused, the others continue from their last checkpoint.";

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var study = Defaults with { Source = parsed.GetRequiredValue(_source) };
        var runner = new QuickstartRunner(study, parsed.GetRequiredValue(_output), EngramCommand.OfThisProgram());
        var seeds = parsed.GetValue(_seeds) is { } list ? Seeds(list) : SeedsReported(runner);
        QuickstartOutcome outcome;
        try
        {
            outcome = QuickstartProgressView.Show(progress => runner.Run(seeds, progress, cancellation));
        }
        catch (ChildProcessException error)
        {
            foreach (var line in error.Tail)
                Terminal.Note($"    {line}");
            throw;
        }
        if (parsed.GetValue(_json))
            Terminal.Json(outcome.Results);
        else
            Write(study, outcome);
    }

    /// <summary>Without --seeds a report keeps the seeds it has: one of three seeds must not become one of one.</summary>
    private static IReadOnlyList<long> SeedsReported(QuickstartRunner runner)
    {
        if (runner.SeedsReported() is not { } seeds)
            return [1];
        if (seeds.Count > 1)
            Terminal.Note(
                $"The results there have the seeds {string.Join(", ", seeds)}: all of them are reported again. Give --seeds for others."
            );
        return seeds;
    }

    private static long[] Seeds(string list) =>
        [
            .. list.Split(',', StringSplitOptions.TrimEntries)
                .Select(word =>
                    long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
                        ? seed
                        : throw new ArgumentException(
                            $"'{word}' in --seeds {list} is no seed: give whole numbers divided by commas, for example 1,2,3."
                        )
                ),
        ];

    private static void Write(QuickstartStudy study, QuickstartOutcome outcome)
    {
        var results = outcome.Results;
        if (outcome.ResultsReused)
            Console.Out.WriteLine(
                $"Everything was there already: nothing was trained or measured again, and whether {study.Source} is still the same text was not looked at. Another --output starts afresh."
            );
        else if (outcome.ReusedRuns > 0)
            Console.Out.WriteLine($"{outcome.ReusedRuns} of {outcome.Runs} models were there already and have been reused.");

        var severalSeeds = results.Seeds.Count > 1;
        var table = new Table()
            .AddColumn("arm")
            .AddColumns(
                Number("parameters"),
                Number("active"),
                Number("memory"),
                Number(severalSeeds ? "validation loss, mean ± deviation" : "validation loss"),
                Number("bits per byte"),
                Number("tokens/s")
            );
        foreach (var arm in study.Arms)
        {
            var model = results.Arms.Single(result => result.Name == arm.Name);
            var over = results.Statistics.Single(statistics => statistics.Name == arm.Name);
            table.AddRow(
                arm.Name,
                $"{model.TotalParameters:N0}",
                $"{model.ActiveParameters:N0}",
                $"{model.MemoryParameters:N0}",
                over.ValidationLoss.StandardDeviation is { } deviation
                    ? $"{over.ValidationLoss.Mean:0.000} ± {deviation:0.000}"
                    : $"{over.ValidationLoss.Mean:0.000}",
                $"{over.BitsPerByte.Mean:0.000}",
                $"{over.TokensPerSecond.Mean:N0}"
            );
        }
        Terminal.Answer.Write(table);
        Console.Out.WriteLine("Parameters count the vocabulary matrix once, active parameters without it; the loss is in nats per token.");
        Console.Out.WriteLine();
        foreach (var finding in outcome.Findings)
            Console.Out.WriteLine($"{finding.Question}:\n  {finding.Answer}");

        var first = results.Seeds[0];
        Console.Out.WriteLine($"\nSample of {QuickstartStudy.Engram}, after the beginning of a validation document:\n");
        Console.Out.WriteLine($"[{first.Prompt}]{first.Samples.Single(sample => sample.Arm == QuickstartStudy.Engram).Text}\n");
        Console.Out.WriteLine($"Report:  {outcome.ReportFile}");
        Console.Out.WriteLine($"Results: {outcome.ResultsFile}");
        if (!severalSeeds)
            Console.Out.WriteLine(
                $"One seed is an anecdote. For three: engram quickstart --seeds {string.Join(',', Enumerable.Range(0, 3).Select(i => first.Seed + i))}"
            );
    }

    private static TableColumn Number(string title) => new TableColumn(title).RightAligned();
}

using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Studies.Processes;
using Engram.Studies.Running;

namespace Engram.Cli.Commands;

/// <summary>Trains and measures what a study still lacks.</summary>
internal sealed class StudyRunCommand : CliCommand
{
    private readonly StudyInput _input = new();
    private readonly Option<string> _slice = new("--slice")
    {
        Description = "The part of the models that this machine does, i/n; give every machine a different i and the same n",
        HelpName = "I/N",
        DefaultValueFactory = _ => "1/1",
    };
    private readonly Option<int?> _processes = new("--processes")
    {
        Description = "Models trained at the same time [default: one per core, divided by --threads]",
        HelpName = "N",
    };
    private readonly Option<int?> _threads = CommonOptions.Threads("1, which is fastest for small models");
    private readonly Option<bool> _json = CommonOptions.Json();

    public StudyRunCommand()
        : base(
            "run",
            "Train and measure what a study still lacks. Finished rows are never measured again while configuration, recipe, seed and data are the same.",
            "engram study run all --size smoke",
            "engram study run allocation --size nano --text 100_english_novels",
            "engram study run all --size nano --text 100_english_novels --slice 2/8"
        )
    {
        Add(_input.Name);
        foreach (var option in (Option[])[_input.Size, _input.Text, _input.Runs, _input.Results, _slice, _processes, _threads, _json])
            Add(option);
        CommonOptions.AtLeastOne(_processes);
    }

    public override string AfterInterruption(ParseResult parsed) =>
        "The same command goes on from here: finished rows are kept, models in training continue from their last checkpoint.";

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        using var corpora = _input.Corpora(parsed, cancellation);
        var runner = new StudyRunner(
            _input.Studies(parsed, cancellation),
            _input.SizeOf(parsed),
            _input.Folders(parsed),
            corpora,
            EngramCommand.OfThisProgram()
        )
        {
            Slice = UsageException.Of(() => StudySlice.Parse(parsed.GetRequiredValue(_slice))),
            Processes = parsed.GetValue(_processes),
            Threads = parsed.GetValue(_threads) ?? 1,
        };
        StudyOutcome outcome;
        using (var line = new ProgressLine<StudyProgress>(StudyInput.Describe))
            outcome = runner.Run(line, cancellation);
        if (parsed.GetValue(_json))
            Terminal.Json(outcome);
        else
            Console.Out.WriteLine(
                $"{outcome.Trained} models trained and measured, {outcome.Reused} were there already. Next: {_input.ReportCommand(parsed)}"
            );
        if (outcome.Failures.Count > 0)
            throw new IOException($"{outcome.Failures.Count} models failed; everything else is done. {string.Join(" ", outcome.Failures)}");
    }
}

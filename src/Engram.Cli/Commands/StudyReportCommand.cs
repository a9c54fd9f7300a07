using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Studies.StudyReports;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Writes reports from measured rows.</summary>
internal sealed class StudyReportCommand : CliCommand
{
    private readonly StudyInput _input = new();
    private readonly Option<bool> _json = CommonOptions.Json();

    public StudyReportCommand()
        : base(
            "report",
            "Write a table, a page and the index from the rows that are there, those of slices included. Nothing is trained.",
            "engram study report allocation --size nano",
            "engram study report all --size nano --results docs/results"
        )
    {
        Add(_input.Name);
        foreach (var option in (Option[])[_input.Size, _input.Runs, _input.Results, _json])
            Add(option);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var folders = _input.Folders(parsed);
        var reports = StudyReporting.Write(_input.Studies(parsed, cancellation), _input.SizeOf(parsed), folders);
        if (parsed.GetValue(_json))
        {
            Terminal.Json(
                reports.Select(report => new
                {
                    report.Study.Name,
                    report.Runs.Planned,
                    report.Runs.Measured,
                    Verdicts = report.Verdicts.Select(verdict => new
                    {
                        verdict.Claim.Text,
                        verdict.Setting,
                        verdict.Outcome,
                        verdict.Sentence,
                    }),
                })
            );
            return;
        }
        var table = new Table().AddColumns("study", "claim", "setting", "verdict", "numbers");
        foreach (var report in reports)
        foreach (var verdict in report.Verdicts)
            table.AddRow(
                report.Study.Name,
                Markup.Escape(verdict.Claim.Text),
                verdict.Setting,
                verdict.Words,
                Markup.Escape(verdict.Sentence)
            );
        Terminal.Answer.Write(table);
        Console.Out.WriteLine($"Index: {Path.Combine(folders.Results, "index.html")}");
    }
}

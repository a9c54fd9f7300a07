using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Studies.Definitions;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>Names the studies.</summary>
internal sealed class StudyListCommand : CliCommand
{
    private readonly Option<bool> _json = CommonOptions.Json();

    public StudyListCommand()
        : base("list", "Name the studies, what they ask and the sizes they have.", "engram study list") => Add(_json);

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_json))
        {
            Terminal.Json(
                StudyLibrary.Studies.Select(study => new
                {
                    study.Name,
                    study.Title,
                    study.Question,
                    study.Paper,
                    study.Prediction,
                    study.Refutation,
                    Sizes = study.Sizes.Keys,
                })
            );
            return;
        }
        var table = new Table().AddColumns("study", "question", "sizes");
        foreach (var study in StudyLibrary.Studies)
            table.AddRow(study.Name, Markup.Escape(study.Question), string.Join(", ", study.Sizes.Keys));
        Terminal.Answer.Write(table);
        foreach (var size in StudyLibrary.Sizes)
            Console.Out.WriteLine($"{size.Name}: {size.Description}");
    }
}

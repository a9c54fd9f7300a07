using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Studies.Planning;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>What a study would cost, before it costs it.</summary>
internal sealed class StudyPlanCommand : CliCommand
{
    private readonly StudyInput _input = new();
    private readonly Option<bool> _json = CommonOptions.Json();

    public StudyPlanCommand()
        : base(
            "plan",
            "Print every run of a study with its parameters, operations, tokens and estimated time, and check what its arms claim to have "
                + "in common. Nothing is read or trained.",
            "engram study plan allocation --size nano",
            "engram study plan all --size nano --json"
        )
    {
        Add(_input.Name);
        Add(_input.Size);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var plan = StudyPlanTable.Of(_input.Studies(parsed, cancellation), _input.SizeOf(parsed));
        if (parsed.GetValue(_json))
            Terminal.Json(plan);
        else
            Write(plan);
        if (plan.Broken.Count > 0)
            throw new InvalidDataException($"Arms differ in what they claim is equal: {string.Join("; ", plan.Broken)}.");
    }

    private static void Write(StudyPlanTable plan)
    {
        var table = new Table()
            .AddColumns("study", "arm", "seeds")
            .AddColumns([
                .. ((string[])["total", "active", "sparse", "table", "tokens", "operations", "minutes"]).Select(title =>
                    new TableColumn(title).RightAligned()
                ),
            ]);
        foreach (var line in plan.Lines)
            table.AddRow(
                line.Study,
                line.Arm,
                string.Join(", ", line.Seeds),
                $"{line.TotalParameters:N0}",
                $"{line.ActiveParameters:N0}",
                $"{line.SparseParameters:N0}",
                $"{line.MemoryParameters:N0}",
                $"{line.Tokens:N0}",
                $"{line.Flops:0.0e0}",
                $"{line.Seconds / 60:0.0}"
            );
        Terminal.Answer.Write(table);
        foreach (var equality in plan.Equalities)
            Console.Out.WriteLine(equality);
        Console.Out.WriteLine(
            $"{plan.Runs} different models, about {TimeLeft.Clock(TimeSpan.FromSeconds(plan.Seconds))} of one core. Parameters leave "
                + "out the vocabulary; minutes are those of one run in one thread."
        );
    }
}

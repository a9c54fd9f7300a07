using System.CommandLine;
using System.CommandLine.Help;
using Engram.Cli.CommandLine;
using Engram.Cli.Commands;

namespace Engram.Cli;

/// <summary>All commands of the program.</summary>
internal static class CommandTree
{
    public static RootCommand Create()
    {
        var root = new RootCommand("Engram: language models with a conditional n-gram memory. Plan, train, inspect and run them.")
        {
            HelpName = "engram",
            Options = { CommonOptions.Debug },
            Subcommands =
            {
                new QuickstartCommand(),
                new PlanCommand(),
                new AddressCommand(),
                Group(
                    "tokenizer",
                    "Train a tokenizer, and see what it does to a text.",
                    new TokenizerTrainCommand(),
                    new TokenizerEncodeCommand(),
                    new TokenizerDecodeCommand(),
                    new TokenizerInspectCommand()
                ),
                Group(
                    "table",
                    "Look at the tables of a memory, check and convert them.",
                    new TableInfoCommand(),
                    new TableVerifyCommand(),
                    new TableConvertCommand(),
                    new TableStatsCommand(),
                    new TableBenchCommand(),
                    new TableQualityCommand()
                ),
                Group(
                    "model",
                    "Write a model in another form.",
                    new ModelConvertCommand(),
                    Group("export", "Write a model for other programs.", new ModelExportGgufCommand())
                ),
                Group("data", "Turn text into training data, or make such text.", new DataPrepareCommand(), new DataWorldCommand()),
                new TrainCommand(),
                new GenerateCommand(),
                new InspectCommand(),
                new EvalCommand(),
                Group(
                    "study",
                    "The paper's experiments: run, resume, report.",
                    new StudyListCommand(),
                    new StudyPlanCommand(),
                    new StudyRunCommand(),
                    new StudyReportCommand()
                ),
            },
        };
        root.Options.OfType<HelpOption>().Single().Action = new HelpWithExamples(asked: true);
        root.Action = new HelpWithExamples(asked: false);
        RefuseMistypedOptions(root);
        StrictNumbers.ApplyTo(root);
        return root;
    }

    // The parser takes an option that it does not know for the value of an argument.
    private static void RefuseMistypedOptions(Command command)
    {
        // A text may begin like an option.
        foreach (var argument in command.Arguments.Where(argument => argument.Name != "TEXT"))
            argument.Validators.Add(given =>
            {
                if (given.Tokens.FirstOrDefault(token => token.Value.StartsWith("--", StringComparison.Ordinal)) is { } token)
                    given.AddError($"Unrecognized command or argument '{token.Value}'.");
            });
        foreach (var subcommand in command.Subcommands)
            RefuseMistypedOptions(subcommand);
    }

    private static Command Group(string name, string description, params IEnumerable<Command> commands)
    {
        var group = new Command(name, description) { Action = new HelpWithExamples(asked: false) };
        foreach (var command in commands)
            group.Add(command);
        return group;
    }
}

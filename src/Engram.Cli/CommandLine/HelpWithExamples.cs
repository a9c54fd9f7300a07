using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Engram.Cli.CommandLine;

/// <summary>The help of System.CommandLine, followed by examples.</summary>
/// <param name="asked">Whether the user asked for it; then a command line that is otherwise wrong does not matter.</param>
internal sealed class HelpWithExamples(bool asked) : SynchronousCommandLineAction
{
    private readonly HelpAction _help = new();

    /// <inheritdoc/>
    public override bool ClearsParseErrors => asked;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        // What stands before a subcommand's own name, as the models of engram eval, is no argument of it.
        foreach (var above in Above(parseResult.CommandResult).SelectMany(command => command.Arguments))
            above.Hidden = true;
        var code = _help.Invoke(parseResult);
        if (parseResult.CommandResult.Command is CliCommand { Examples: var examples })
        {
            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine(examples.Count == 1 ? "Example:" : "Examples:");
            foreach (var example in examples)
                output.WriteLine("  " + example);
            output.WriteLine();
        }
        return code;
    }

    private static IEnumerable<Command> Above(CommandResult result)
    {
        for (var above = result.Parent as CommandResult; above is not null; above = above.Parent as CommandResult)
            yield return above.Command;
    }
}

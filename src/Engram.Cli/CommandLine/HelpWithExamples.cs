using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

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
}

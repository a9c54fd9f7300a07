using System.CommandLine;

namespace Engram.Cli.CommandLine;

/// <summary>
/// A command that does something: its options are fields, its body is <see cref="Run"/>. Errors are thrown; the program turns them into a
/// line and an exit code.
/// </summary>
internal abstract class CliCommand : Command
{
    /// <param name="name">One word, as typed.</param>
    /// <param name="description">One or two sentences for the help.</param>
    /// <param name="examples">Whole command lines for the help, at least one.</param>
    protected CliCommand(string name, string description, params IReadOnlyList<string> examples)
        : base(name, description)
    {
        Examples = examples;
        SetAction(
            (parsed, cancellation) =>
            {
                Run(parsed, cancellation);
                return Task.CompletedTask;
            }
        );
    }

    /// <summary>Command lines that work as they stand once their files exist.</summary>
    public IReadOnlyList<string> Examples { get; }

    /// <summary>What the user finds, and how to go on, after Ctrl-C.</summary>
    public virtual string AfterInterruption(ParseResult parsed) => "Nothing was written.";

    /// <summary>Does the work, on the first thread of the process.</summary>
    protected abstract void Run(ParseResult parsed, CancellationToken cancellation);
}

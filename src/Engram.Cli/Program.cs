using System.CommandLine;
using System.Globalization;
using Engram.Cli;
using Engram.Cli.CommandLine;
using Engram.Torch.Native;

CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = CultureInfo.InvariantCulture;
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.InvariantCulture;
Malloc.Tune();
ThreadSettings.WaitBriefly();

// "@" begins a prompt as well as any letter does, so it does not name a file of further arguments.
var parsed = CommandTree.Create().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
if (parsed.Errors.Count > 0)
    return Failure.ReportUsage(parsed);

using var interruption = new Interruption();
try
{
    // Commands run on this first thread: the allocator settings serve it best, and tensor scopes belong to a thread.
    return parsed
        .InvokeAsync(
            new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null },
            interruption.Token
        )
        .GetAwaiter()
        .GetResult();
}
catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
{
    Terminal.Note($"Interrupted. {((CliCommand)parsed.CommandResult.Command).AfterInterruption(parsed)}");
    return interruption.ExitCode;
}
catch (Exception error)
{
    return Failure.Report(parsed, error);
}

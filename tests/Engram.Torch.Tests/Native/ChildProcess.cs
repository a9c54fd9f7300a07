using System.Diagnostics;

namespace Engram.Torch.Tests.Native;

/// <summary>
/// Runs one explicit test of this assembly in a process of its own: for what depends on the environment at start, and for what may abort.
/// </summary>
internal static class ChildProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>Starts the test, its output redirected. A test marked explicit runs nowhere else.</summary>
    /// <param name="testClass">The class of the test.</param>
    /// <param name="method">Its name.</param>
    /// <param name="within">A program that starts another, with its arguments up to that one; empty for none.</param>
    /// <param name="environment">Variables on top of this process's own; null removes one.</param>
    public static Process Open(Type testClass, string method, string[] within, params (string Name, string? Value)[] environment)
    {
        string[] command =
        [
            .. within,
            Path.Combine(AppContext.BaseDirectory, "Engram.Torch.Tests"),
            "-method",
            $"{testClass.FullName}.{method}",
            "-explicit",
            "only",
            "-noColor",
        ];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Starts the test without waiting, and gives its output when it has ended.</summary>
    public static Task<string> Start(Type testClass, string method, params (string Name, string? Value)[] environment) =>
        Finish(Open(testClass, method, [], environment));

    /// <summary>Requires that the child ran exactly that test and that it passed.</summary>
    public static Task Passes(Type testClass, string method, params (string Name, string? Value)[] environment) =>
        Passes(testClass, method, [], environment);

    /// <summary>The same, started by another program.</summary>
    public static async Task Passes(Type testClass, string method, string[] within, params (string Name, string? Value)[] environment)
    {
        var output = await Finish(Open(testClass, method, within, environment));
        Assert.True(output.Contains("exit code 0") && output.Contains("Total: 1, Errors: 0, Failed: 0, Skipped: 0, Not Run: 0"), output);
    }

    private static async Task<string> Finish(Process process)
    {
        using (process)
        using (var limit = new CancellationTokenSource(Limit))
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            try
            {
                await process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw new TimeoutException($"The child process ran longer than {Limit}.");
            }
            return $"{await output}{await errors}\nexit code {process.ExitCode}";
        }
    }
}

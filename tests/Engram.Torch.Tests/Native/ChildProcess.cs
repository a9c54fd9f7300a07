using System.Diagnostics;

namespace Engram.Torch.Tests.Native;

/// <summary>Runs one explicit test of this assembly in a process of its own: for what depends on the environment at start, and for what may abort.</summary>
internal static class ChildProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>Starts the test without waiting. A test marked explicit runs nowhere else.</summary>
    /// <param name="testClass">The class of the test.</param>
    /// <param name="method">Its name.</param>
    /// <param name="environment">Variables on top of this process's own; null removes one.</param>
    public static Task<string> Start(Type testClass, string method, params (string Name, string? Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Engram.Torch.Tests"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "-method", $"{testClass.FullName}.{method}", "-explicit", "only", "-noColor" },
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Finish(Process.Start(start)!);
    }

    /// <summary>Requires that the child ran exactly that test and that it passed.</summary>
    public static async Task Passes(Type testClass, string method, params (string Name, string? Value)[] environment)
    {
        var output = await Start(testClass, method, environment);
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

using System.Diagnostics;
using System.Text.Json;

namespace Engram.Torch.Tests.Cli;

/// <summary>What a finished run of the program left behind.</summary>
internal sealed record CliResult(int ExitCode, string Output, string Errors)
{
    /// <summary>The output, all of which must be one JSON value.</summary>
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    /// <summary>Stderr, which must be one line.</summary>
    public string ErrorLine
    {
        get
        {
            Assert.Equal(1, Errors.Count(character => character == '\n'));
            return Errors.TrimEnd('\n');
        }
    }

    /// <summary>Requires success.</summary>
    public CliResult Ok()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}\n{Errors}\n{Output}");
        return this;
    }
}

/// <summary>Runs the built program, as a user does.</summary>
internal static class CliProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "Engram.Cli");

    public static Task<CliResult> Run(params string[] arguments) => RunWithInput("", arguments);

    public static async Task<CliResult> RunWithInput(string input, params string[] arguments)
    {
        using var process = Start(arguments);
        using var limit = new CancellationTokenSource(Limit);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        return await Finish(process, limit.Token);
    }

    /// <summary>Starts the program; the caller ends it.</summary>
    public static Process Start(params string[] arguments) =>
        Process.Start(
            new ProcessStartInfo(Program, arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                // Several threads of one operation that spin while they wait for each other stand still on a busy machine; these give the
                // core away. The runtime waits on a pipe of its own for debuggers, which looks like a program that waits on one of the
                // user's.
                Environment = { ["OMP_WAIT_POLICY"] = "passive", ["DOTNET_EnableDiagnostics"] = "0" },
            }
        )!;

    /// <summary>Waits for the end of the program.</summary>
    public static async Task<CliResult> Finish(Process process, CancellationToken cancellation)
    {
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        return new CliResult(process.ExitCode, await output, await errors);
    }
}

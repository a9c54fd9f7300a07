using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Engram.Studies.Processes;

/// <summary>Runs a process to its end, its output in a log file.</summary>
internal static partial class ChildProcess
{
    private const int Terminate = 15; // SIGTERM
    private const int TailLines = 15;

    // Ctrl-C reaches the children of a terminal's foreground process by itself, and a second signal would keep them from writing their
    // checkpoint.
    private static readonly TimeSpan BySelf = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ByRequest = TimeSpan.FromSeconds(10);

    /// <summary>Starts the process and waits for it. Cancelled, it is asked to end, then killed, and has ended when this returns.</summary>
    /// <param name="what">What runs, for messages.</param>
    /// <param name="command">The program.</param>
    /// <param name="arguments">Its command and options.</param>
    /// <param name="log">Receives both output streams, appended to what is there. Its folder exists.</param>
    /// <param name="cancellation">Ends the process.</param>
    /// <exception cref="ChildProcessException">It could not be started, or ended with another exit code than 0.</exception>
    /// <exception cref="IOException">The log cannot be written; the process has been ended.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async Task RunAsync(
        string what,
        EngramCommand command,
        IReadOnlyList<string> arguments,
        string log,
        CancellationToken cancellation
    )
    {
        cancellation.ThrowIfCancellationRequested();
        string[] all = [.. command.Prefix, .. arguments];
        await using var file = new StreamWriter(new FileStream(log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            AutoFlush = true,
        };
        var lines = TextWriter.Synchronized(file);
        lines.WriteLine($"$ {command.FileName} {string.Join(' ', all)}");
        using var process = Start(what, command.FileName, all);
        // A process whose output nobody takes stands still, so a log that cannot be written ends it.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var output = Task.WhenAll(CopyAsync(process.StandardOutput, lines, stop), CopyAsync(process.StandardError, lines, stop));
        try
        {
            await process.WaitForExitAsync(stop.Token);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(process);
        }
        await output;
        cancellation.ThrowIfCancellationRequested();
        if (process.ExitCode != 0)
            throw new ChildProcessException($"{what} failed with exit code {process.ExitCode}. Its log is {log}", Tail(log));
    }

    private static Process Start(string what, string fileName, string[] arguments)
    {
        // The input stays open as long as this process lives, however it ends: a child that is told so ends with it.
        var start = new ProcessStartInfo(fileName, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment[EngramCommand.EndWithInput] = "1";
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception error)
        {
            throw new ChildProcessException($"{what} could not be started: {fileName}: {error.Message}", []);
        }
    }

    private static async Task CopyAsync(StreamReader from, TextWriter to, CancellationTokenSource stop)
    {
        try
        {
            while (await from.ReadLineAsync() is { } line)
                await to.WriteLineAsync(line);
        }
        catch (IOException)
        {
            await stop.CancelAsync();
            throw;
        }
    }

    private static async Task EndAsync(Process process)
    {
        if (await EndsWithin(process, BySelf))
            return;
        // Should it end at this very moment, its id is not another process's yet: Linux hands ids out in turn.
        _ = Kill(process.Id, Terminate);
        if (await EndsWithin(process, ByRequest))
            return;
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
    }

    private static async Task<bool> EndsWithin(Process process, TimeSpan limit)
    {
        try
        {
            await process.WaitForExitAsync().WaitAsync(limit);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static string[] Tail(string log) =>
        [.. File.ReadLines(log).Where(line => !string.IsNullOrWhiteSpace(line)).TakeLast(TailLines)];

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}

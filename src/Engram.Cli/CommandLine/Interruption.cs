using System.Runtime.InteropServices;
using Engram.Studies.Processes;

namespace Engram.Cli.CommandLine;

/// <summary>
/// Turns Ctrl-C, a request to terminate and the closing of the terminal into cancellation. The second one ends the process at once. The
/// process of a study's arm is cancelled too when the study that started it is gone, which its closed standard input tells.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    public Interruption()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, Handle),
        ];
        if (Environment.GetEnvironmentVariable(EngramCommand.EndWithInput) == "1")
            new Thread(EndWithInput) { IsBackground = true }.Start();
    }

    public CancellationToken Token => _source.Token;

    /// <summary>128 and the signal's number, as shells have it.</summary>
    public int ExitCode { get; private set; }

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }

    private void EndWithInput()
    {
        using var input = Console.OpenStandardInput();
        Span<byte> buffer = stackalloc byte[64];
        while (input.Read(buffer) > 0) { }

        ExitCode = 143;
        _source.Cancel();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = !_source.IsCancellationRequested;
        ExitCode = context.Signal switch
        {
            PosixSignal.SIGHUP => 129,
            PosixSignal.SIGINT => 130,
            _ => 143,
        };
        _source.Cancel();
    }
}

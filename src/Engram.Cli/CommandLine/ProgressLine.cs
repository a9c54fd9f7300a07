using System.Diagnostics;

namespace Engram.Cli.CommandLine;

/// <summary>
/// Says on stderr how far a long step is: on a terminal one line that is rewritten, elsewhere (a log) plain lines, seldom enough to stay
/// readable.
/// </summary>
/// <param name="describe">Turns a report into the line. Called for every report, so that it may remember.</param>
/// <param name="always">Which reports a log must show and a terminal keep, as lines above the one that is rewritten; null for none.</param>
internal sealed class ProgressLine<T>(Func<T, string> describe, Func<T, bool>? always = null) : IProgress<T>, IDisposable
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromSeconds(0.1);
    private static readonly TimeSpan InLog = TimeSpan.FromSeconds(10);

    private readonly bool _terminal = !Console.IsErrorRedirected;
    private long _shownAt;
    private bool _visible;

    /// <summary>Shows a report, unless the last one is too recent to have been read.</summary>
    public void Report(T value)
    {
        var line = describe(value);
        var kept = always?.Invoke(value) == true;
        var recent = _shownAt != 0 && Stopwatch.GetElapsedTime(_shownAt) < (_terminal ? OnTerminal : InLog);
        if (recent && !kept)
            return;
        _shownAt = Stopwatch.GetTimestamp();
        if (_terminal && kept)
        {
            Terminal.Say($"\r{line}\e[K{Environment.NewLine}");
            _visible = false;
        }
        else if (_terminal)
        {
            // A line that wraps could not be rewritten.
            Terminal.Say(
                $"\r{(Console.WindowWidth > 1 && line.Length >= Console.WindowWidth ? line[..(Console.WindowWidth - 1)] : line)}\e[K"
            );
            _visible = true;
        }
        else
            Terminal.Note(line);
    }

    /// <summary>Removes the line from the terminal, so that results and errors begin on a clean one.</summary>
    public void Dispose()
    {
        if (_visible)
            Terminal.Say("\r\e[K");
    }
}

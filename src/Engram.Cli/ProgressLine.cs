using System.Diagnostics;

namespace Engram.Cli;

/// <summary>
/// Says on stderr how far a long step is: on a terminal one line that is rewritten, elsewhere (a log) plain lines, seldom enough to stay readable.
/// </summary>
/// <param name="describe">Turns a report into the line.</param>
internal sealed class ProgressLine<T>(Func<T, string> describe) : IProgress<T>, IDisposable
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromSeconds(0.1);
    private static readonly TimeSpan InLog = TimeSpan.FromSeconds(5);

    private readonly bool _terminal = !Console.IsErrorRedirected;
    private long _shownAt;
    private bool _visible;

    /// <summary>Shows a report, unless the last one is too recent to have been read.</summary>
    public void Report(T value)
    {
        if (_shownAt != 0 && Stopwatch.GetElapsedTime(_shownAt) < (_terminal ? OnTerminal : InLog)) return;
        _shownAt = Stopwatch.GetTimestamp();
        var line = describe(value);
        if (_terminal)
        {
            // A line that wraps could not be rewritten.
            Console.Error.Write($"\r{line[..Math.Min(line.Length, Math.Max(0, Console.WindowWidth - 1))]}\e[K");
            _visible = true;
        }
        else Terminal.Note(line);
    }

    /// <summary>Removes the line from the terminal, so that results and errors begin on a clean one.</summary>
    public void Dispose()
    {
        if (_visible) Console.Error.Write("\r\e[K");
    }
}

namespace Engram.Studies.Processes;

/// <summary>A process that was started as a part of a study did not end well.</summary>
/// <param name="message">What ran, how it ended, and where its log is.</param>
/// <param name="tail">The last lines of its log; empty if it never ran.</param>
public sealed class ChildProcessException(string message, IReadOnlyList<string> tail) : IOException(message)
{
    /// <summary>The last lines of the log, oldest first.</summary>
    public IReadOnlyList<string> Tail { get; } = tail;
}

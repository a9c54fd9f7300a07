namespace Engram.Studies.Results;

/// <summary>Opens files that processes side by side write in turns, each waiting until the others have closed them.</summary>
internal static class SharedFile
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20),
        LongestWait = TimeSpan.FromHours(1);

    /// <summary>Opens a file that nobody else has open meanwhile.</summary>
    /// <param name="path">The file; created if it is missing.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="IOException">It cannot be opened, or another process has kept it open for an hour.</exception>
    public static FileStream OpenAlone(string path, CancellationToken cancellation = default) =>
        Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, cancellation);

    /// <summary>Reads a file that is there, between two writes.</summary>
    public static string ReadAllText(string path)
    {
        using var text = new StreamReader(Open(path, FileMode.Open, FileAccess.Read, FileShare.Read, default));
        return text.ReadToEnd();
    }

    private static FileStream Open(string path, FileMode mode, FileAccess access, FileShare share, CancellationToken cancellation)
    {
        for (var waited = TimeSpan.Zero; ; waited += Pause)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return new FileStream(path, mode, access, share);
            }
            catch (IOException error) when (IsOpenElsewhere(error) && waited < LongestWait)
            {
                cancellation.WaitHandle.WaitOne(Pause);
            }
        }
    }

    // The kernel's "try again" of flock; other errors (no such folder, no space) have types or codes of their own.
    private static bool IsOpenElsewhere(IOException error) => error.GetType() == typeof(IOException) && error.HResult == 11;
}

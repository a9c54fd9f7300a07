namespace Engram.Corpora.Files;

/// <summary>
/// Files that a user names. One may be a pipe that nobody writes to yet, as a shell makes of <c>&lt;(command)</c>: opening and reading it
/// waits, and the wait hears a cancellation. The thread that waits is left behind then, until somebody writes or the process ends.
/// </summary>
public static class InputFile
{
    /// <summary>All bytes of a file or a pipe.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="IOException">There is no such file, or it cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static byte[] ReadAllBytes(string path, CancellationToken cancellation) => Wait(path, File.ReadAllBytes, cancellation);

    /// <summary>The text of a file or a pipe: UTF-8, or what its first bytes say.</summary>
    /// <inheritdoc cref="ReadAllBytes"/>
    public static string ReadAllText(string path, CancellationToken cancellation) => Wait(path, File.ReadAllText, cancellation);

    /// <summary>Opens a file that is read more than once.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="IOException">There is no such file, it cannot be read, or it is a pipe; the message says so.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static Stream Open(string path, CancellationToken cancellation)
    {
        var file = Wait(path, File.OpenRead, cancellation);
        if (file.CanSeek)
            return file;
        file.Dispose();
        throw new IOException($"{path} is a pipe, which can be read once only. Write it to a file first.");
    }

    /// <summary>Refuses a pipe, where whoever opens the file later cannot wait for one. A path that holds no file passes.</summary>
    /// <param name="path">The file; null for none.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="IOException">It is a pipe, or cannot be read; the message says so.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static void RequireNoPipe(string? path, CancellationToken cancellation)
    {
        if (File.Exists(path))
            Open(path, cancellation).Dispose();
    }

    /// <summary>Waits on another thread for a file that may be a pipe.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Opens it, and perhaps reads it.</param>
    /// <param name="cancellation">Ends the wait, not the work.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static T Wait<T>(string path, Func<string, T> read, CancellationToken cancellation)
    {
        try
        {
            return Wait(() => read(path), cancellation);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException($"There is no file '{path}': check the path.", path, error);
        }
    }

    /// <summary>Waits on another thread for what may not come.</summary>
    /// <param name="work">What waits.</param>
    /// <param name="cancellation">Ends the wait, not the work.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static T Wait<T>(Func<T> work, CancellationToken cancellation) =>
        Task.Run(work, cancellation).WaitAsync(cancellation).GetAwaiter().GetResult();
}

namespace Engram.Storage;

/// <summary>
/// Replaces a file whole or not at all: writes to a temporary name in the same folder, flushes to disk, renames.
/// Whatever fails, a file that was there before is intact and the temporary is gone. A process that still reads or maps the old file keeps the old content.
/// </summary>
public static class AtomicFile
{
    private const int BufferSize = 128 * 1024;

    /// <summary>Writes a file through a stream.</summary>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="write">Writes the content. It may seek within the stream and leaves it open.</param>
    /// <exception cref="IOException">The folder is missing, not writable or full. Whatever <paramref name="write"/> throws passes through.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        var target = Path.GetFullPath(path);
        var temporary = $"{target}.{Environment.ProcessId}-{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, BufferSize))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            DeleteQuietly(temporary);
            throw;
        }
    }

    /// <summary>Writes a file of bytes.</summary>
    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="content">The whole content.</param>
    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> content) => Write(path, stream => stream.Write(content.Span));

    /// <summary>Writes a file of text in UTF-8, without byte-order mark.</summary>
    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="content">The whole content.</param>
    public static void WriteAllText(string path, string content) => WriteAllBytes(path, System.Text.Encoding.UTF8.GetBytes(content));

    private static void DeleteQuietly(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The failure that brought us here is the one to report.
        }
    }
}

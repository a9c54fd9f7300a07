namespace Engram.Storage;

/// <summary>
/// Replaces a file whole or not at all: writes to a temporary name in the same folder, flushes to disk, renames, flushes the folder. Once
/// it has returned, a crash of the machine finds the new file. Whatever fails, a file that was there before is intact and the temporary is
/// gone. A process that still reads or maps the old file keeps the old content.
/// </summary>
public static class AtomicFile
{
    private const int BufferSize = 128 * 1024;

    /// <summary>Writes a file through a stream.</summary>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="write">Writes the content. It may seek within the stream and leaves it open.</param>
    /// <exception cref="IOException">
    /// The folder is missing, not writable or full. Whatever <paramref name="write"/> throws passes through.
    /// </exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        var target = Path.GetFullPath(path);
        var temporary = TemporaryFor(target);
        try
        {
            using (var stream = Create(temporary, path))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, target, overwrite: true);
            DurableFolder.Flush(Path.GetDirectoryName(target)!);
        }
        catch
        {
            DeleteQuietly(temporary);
            throw;
        }
    }

    /// <summary>
    /// Fails as <see cref="Write(string, Action{Stream})"/> would before its first byte: for programs that work long before they write.
    /// </summary>
    /// <param name="path">The file to be written.</param>
    /// <exception cref="IOException">The path is a folder, or its folder is missing or cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The user may not write in the folder.</exception>
    public static void RequireWritable(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var temporary = TemporaryFor(Path.GetFullPath(path));
        Create(temporary, path).Dispose();
        DeleteQuietly(temporary);
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

    private static string TemporaryFor(string target) => $"{target}.{Environment.ProcessId}-{Guid.NewGuid():N}.tmp";

    // Errors name the file that was asked for, not the temporary one.
    private static FileStream Create(string temporary, string path)
    {
        var folder = Path.GetDirectoryName(temporary)!;
        if (Directory.Exists(path))
            throw new IOException($"{path}: is a folder; give the name of a file.");
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{path}: there is no folder {folder}; make it first.");
        try
        {
            return new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, BufferSize);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException($"{path}: this user may not write in {folder}.", e);
        }
        catch (FileNotFoundException e)
        {
            // What file systems that are no storage answer.
            throw new IOException($"{path}: no file can be made in {folder}.", e);
        }
    }

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

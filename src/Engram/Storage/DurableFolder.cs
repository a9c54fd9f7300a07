using System.Runtime.InteropServices;

namespace Engram.Storage;

/// <summary>
/// Folders whose entries survive a crash of the machine. A file that is flushed may still be without its name after a power cut: names are
/// entries of the folder, which is written to the device on its own. On Windows entries are kept by the file system's journal, and nothing
/// is done.
/// </summary>
internal static partial class DurableFolder
{
    // Numbers of Linux's <fcntl.h> and <errno.h>, the same on x86-64 and Arm64 for the errors; a folder is opened for reading by 0
    // everywhere.
    private const int ReadOnly = 0;
    private const int InvalidArgument = 22;
    private const int NotSupported = 95;

    /// <summary>Makes a folder and what is missing above it, each under its name on the device.</summary>
    /// <exception cref="IOException">A folder cannot be made or written.</exception>
    public static void Create(string folder)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (Directory.Exists(path))
            return;
        var parent = Path.GetDirectoryName(path);
        if (parent is not null)
            Create(parent);
        Directory.CreateDirectory(path);
        if (parent is not null)
            Flush(parent);
    }

    /// <summary>Removes a file, for good.</summary>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static void DeleteFile(string path)
    {
        File.Delete(path);
        Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Writes the entries of a folder to the device and waits for it: names that were added, changed or removed.</summary>
    /// <exception cref="IOException">The device cannot take them.</exception>
    public static void Flush(string folder)
    {
        if (OperatingSystem.IsWindows())
            return;
        var file = open(folder, ReadOnly);
        if (file < 0)
            throw new IOException($"{folder}: the folder cannot be opened ({Marshal.GetLastPInvokeErrorMessage()}).");
        // A file system that cannot flush folders says that the argument is invalid; it has nothing to wait for.
        var failed = fsync(file) != 0 && Marshal.GetLastPInvokeError() is not (InvalidArgument or NotSupported);
        var reason = failed ? Marshal.GetLastPInvokeErrorMessage() : "";
        _ = close(file);
        if (failed)
            throw new IOException($"{folder}: the folder's entries cannot be written to the device ({reason}).");
    }

    /// <summary>Writes a folder to the device and waits for it: all files in it, and the entries of it and all folders in it.</summary>
    /// <exception cref="IOException">The device cannot take them.</exception>
    public static void FlushTree(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            RandomAccess.FlushToDisk(handle);
        }
        foreach (var inner in Directory.EnumerateDirectories(folder))
            FlushTree(inner);
        Flush(folder);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int file);

    [LibraryImport("libc")]
    private static partial int close(int file);
}

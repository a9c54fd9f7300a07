using Engram.Storage;

namespace Engram.Models.Folders;

/// <summary>Puts a finished folder in the place of an older one, or leaves the older one.</summary>
public static class FolderReplacement
{
    private const string UnfinishedSuffix = ".tmp";
    private const string ReplacedSuffix = ".old";

    /// <summary>
    /// Fills a new folder beside <paramref name="folder"/> and puts it in its place: a failed write leaves the old one, and so does a
    /// killed process, except between two renames, when the old one is <c>FOLDER.….old</c>. Once it has returned, a crash of the machine
    /// finds the new folder, whole.
    /// </summary>
    /// <param name="folder">Its parent is created if needed.</param>
    /// <param name="write">Fills the folder of the given path.</param>
    /// <exception cref="IOException">The place is not writable or full, or <paramref name="folder"/> is a file.</exception>
    public static void Replace(string folder, Action<string> write)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        // Names of their own, so that nothing a killed process left behind gets into the new folder.
        var unique = $"{target}.{Path.GetRandomFileName()}";
        var (temporary, old) = (unique + UnfinishedSuffix, unique + ReplacedSuffix);
        try
        {
            DurableFolder.Create(temporary);
            write(temporary);
            DurableFolder.FlushTree(temporary);
            if (Directory.Exists(target))
                Directory.Move(target, old);
            Directory.Move(temporary, target);
            DurableFolder.Flush(Path.GetDirectoryName(target)!);
        }
        catch
        {
            if (Directory.Exists(old) && !Directory.Exists(target))
                Directory.Move(old, target);
            DeleteQuietly(temporary);
            throw;
        }

        DeleteQuietly(old);
    }

    /// <summary>Removes what killed processes left of <see cref="Replace"/>: nobody else may be writing there.</summary>
    /// <param name="parent">The folder that holds the replaced folders.</param>
    /// <param name="name">Name of the replaced folder, or * for any.</param>
    public static void RemoveLeftovers(string parent, string name)
    {
        foreach (var suffix in (string[])[UnfinishedSuffix, ReplacedSuffix])
        foreach (var left in Directory.GetDirectories(parent, $"{name}.*{suffix}"))
            Directory.Delete(left, recursive: true);
    }

    private static void DeleteQuietly(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is in place counts, or the failure that brought us here; a leftover is removed by the next writer.
        }
    }
}

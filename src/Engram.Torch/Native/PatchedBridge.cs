using System.Security.Cryptography;

namespace Engram.Torch.Native;

/// <summary>
/// A copy of TorchSharp's bridge that loads on hosts with an older C++ runtime (Debian 12, Ubuntu 22.04, RHEL 9). The shipped file asks for
/// <c>GLIBCXX_3.4.32</c> only through a marker nothing refers to, and for <c>GLIBCXX_3.4.30</c> through <c>condition_variable::wait</c>,
/// which every runtime also offers under <c>GLIBCXX_3.4.11</c>.
/// </summary>
internal static class PatchedBridge
{
    // Raised whenever the edit changes, so that no older copy is ever taken for a current one.
    private const int Revision = 1;

    /// <summary>Whether a loader's message says that the C++ runtime is too old, the one failure the edit cures.</summary>
    public static bool Cures(string loaderMessage) => loaderMessage.Contains("GLIBCXX_3.4.3", StringComparison.Ordinal);

    /// <summary>Applies both edits.</summary>
    /// <returns>Requirements changed; 2 for the shipped file.</returns>
    /// <exception cref="InvalidDataException">Not a complete little-endian ELF64 image.</exception>
    public static int Edit(Span<byte> image) =>
        ElfVersionNeeds.MakeWeak(image, "GLIBCXX_3.4.32") + ElfVersionNeeds.Rebind(image, "GLIBCXX_3.4.30", "GLIBCXX_3.4.11");

    /// <summary>Returns the edited copy in the user's cache folder, writing it if it is not there. The original is only read.</summary>
    /// <param name="original">The shipped file.</param>
    /// <param name="cache">Root of the cache; a folder per content and edit revision is made inside.</param>
    /// <exception cref="LibTorchException">The cache folder cannot be written.</exception>
    public static string For(string original, string cache)
    {
        var image = File.ReadAllBytes(original);
        var folder = Path.Combine(cache, $"{Convert.ToHexStringLower(SHA256.HashData(image))}-{Revision}");
        var path = Path.Combine(folder, Path.GetFileName(original));
        if (IsWhole(path, image.Length))
            return path;
        var damaged = File.Exists(path);

        Edit(image);
        var temporary = $"{path}.{Environment.ProcessId}-{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(folder);
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                file.Write(image);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: damaged);
        }
        catch (IOException) when (IsWhole(path, image.Length))
        {
            // Processes that start together all write it; the first one's copy stays, since it may be loaded already.
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(temporary))
                File.Delete(temporary);
            throw new LibTorchException($"{folder} cannot be written ({e.Message}): set XDG_CACHE_HOME to a writable folder.", e);
        }
        return path;
    }

    // The edit keeps the length, so a shorter file is what a crash left behind.
    private static bool IsWhole(string path, int length) => new FileInfo(path) is { Exists: true } file && file.Length == length;

    /// <summary>The user's cache folder for native files: below <c>XDG_CACHE_HOME</c>, or <c>~/.cache</c>.</summary>
    /// <exception cref="LibTorchException">Neither variable names an absolute folder.</exception>
    public static string DefaultCache()
    {
        var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (!Path.IsPathFullyQualified(root ?? ""))
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (home.Length == 0)
                throw new LibTorchException("No home folder for the edited native library: set XDG_CACHE_HOME to a writable folder.");
            root = Path.Combine(home, ".cache");
        }
        return Path.Combine(root!, "engram-net", "native");
    }
}

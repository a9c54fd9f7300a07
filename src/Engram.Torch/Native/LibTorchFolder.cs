using System.Text.RegularExpressions;

namespace Engram.Torch.Native;

/// <summary>Finds the folders that hold the native files: libtorch itself and TorchSharp's bridge to it.</summary>
internal static partial class LibTorchFolder
{
    /// <summary>
    /// Environment variable that names another libtorch folder, for example the <c>torch/lib</c> of a PyTorch install with CUDA.
    /// </summary>
    public const string Variable = "ENGRAM_LIBTORCH";

    /// <summary>The version TorchSharp's bridge is compiled against. The C++ interface changes between minor versions.</summary>
    public const string Version = "2.10";

    /// <summary>File of TorchSharp's bridge.</summary>
    public const string BridgeFile = "libLibTorchSharp.so";

    /// <summary>Package and version of libtorch, as the package cache names its folder.</summary>
    public const string Package = "libtorch-cpu-linux-x64/2.10.0";

    /// <summary>Package and version of TorchSharp.</summary>
    public const string BridgePackage = "torchsharp/0.107.0";

    private const string CoreFile = "libtorch_cpu.so";

    /// <summary>
    /// The folder with <c>libtorch_cpu.so</c>: <c>ENGRAM_LIBTORCH</c>, else the build's value in runtimeconfig.json, else the application's
    /// folders, else the package cache.
    /// </summary>
    /// <exception cref="LibTorchException">The variable names an unusable folder, or no folder holds the library.</exception>
    public static string FindLibTorch()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } chosen)
            return Checked(chosen);
        var candidates = Candidates("Engram.LibTorchDirectory", Package);
        return candidates.Find(folder => File.Exists(Path.Combine(folder, CoreFile)))
            ?? throw new LibTorchException(
                $"{CoreFile} is in none of {string.Join(", ", candidates)}: restore the package {Package}, or set {Variable} to a folder "
                    + $"with libtorch {Version}."
            );
    }

    /// <summary>
    /// The bridge's file, the application's own copy first: TorchSharp looks there too, and two copies must not meet in one process.
    /// </summary>
    /// <exception cref="LibTorchException">No folder holds it.</exception>
    public static string FindBridge()
    {
        var candidates = Candidates("Engram.LibTorchSharpDirectory", BridgePackage, applicationFirst: true);
        return candidates.Select(folder => Path.Combine(folder, BridgeFile)).FirstOrDefault(File.Exists)
            ?? throw new LibTorchException(
                $"{BridgeFile} is in none of {string.Join(", ", candidates)}: restore the package {BridgePackage}."
            );
    }

    private static List<string> Candidates(string key, string package, bool applicationFirst = false)
    {
        var application = new[] { AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes/linux-x64/native") };
        var folders = new List<string>(application);
        if (AppContext.GetData(key) is string configured)
            folders.Insert(applicationFirst ? folders.Count : 0, configured);
        folders.Add(InPackageCache(package));
        return folders;
    }

    /// <summary>Where the package cache keeps the native files of a package.</summary>
    /// <param name="package">Lower-case name and version, with a slash between them.</param>
    internal static string InPackageCache(string package)
    {
        var cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } moved
            ? moved
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages");
        return Path.Combine(cache, package, "runtimes/linux-x64/native");
    }

    /// <summary>Accepts a user's folder only with the right library in it. A folder without a version note is taken at its word.</summary>
    private static string Checked(string folder)
    {
        if (!File.Exists(Path.Combine(folder, CoreFile)))
            throw new LibTorchException(
                $"{Variable} names {folder}, which holds no {CoreFile}: name the lib folder of a libtorch {Version} or PyTorch "
                    + $"{Version} install, or unset the variable."
            );
        var full = Path.GetFullPath(folder);
        if (NotedVersion(full) is { } version && version != Version && !version.StartsWith(Version + ".", StringComparison.Ordinal))
            throw new LibTorchException(
                $"{Variable} names {folder}, which is libtorch {version}, but {BridgePackage} needs {Version}: install that version, "
                    + "or unset the variable."
            );
        return full;
    }

    /// <summary>What is written beside the folder: PyTorch keeps <c>version.py</c>, the libtorch archive <c>build-version</c>.</summary>
    private static string? NotedVersion(string folder)
    {
        var parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(folder))!;
        var python = Path.Combine(parent, "version.py");
        if (File.Exists(python))
            return VersionLine().Match(File.ReadAllText(python)) is { Success: true } match
                ? match.Groups[1].Value
                : $"of unknown version ({python} states none)";
        var build = Path.Combine(parent, "build-version");
        return File.Exists(build) ? File.ReadAllText(build).Trim() : null;
    }

    [GeneratedRegex("""^__version__\s*(?::\s*\w+\s*)?=\s*['"]([^'"]+)['"]""", RegexOptions.Multiline)]
    private static partial Regex VersionLine();
}

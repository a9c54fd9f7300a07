using System.Reflection;

namespace Engram.Studies.Processes;

/// <summary>How another process of this program is started: an executable, and the arguments that come before the command's own.</summary>
/// <param name="FileName">The executable: the program's own launcher, or <c>dotnet</c>.</param>
/// <param name="Prefix">Arguments before the command: empty for the launcher, the program's .dll for <c>dotnet</c>.</param>
public sealed record EngramCommand(string FileName, IReadOnlyList<string> Prefix)
{
    /// <summary>Environment variable that, set to 1, asks a process of this program to end when its standard input does.</summary>
    public const string EndWithInput = "ENGRAM_END_WITH_INPUT";

    private const string Host = "dotnet";

    /// <summary>
    /// The program that is running, however it was started: by its launcher, by <c>dotnet run</c>, or by <c>dotnet engram.dll</c>.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">The system does not say which program is running.</exception>
    public static EngramCommand OfThisProgram() =>
        Of(
            Environment.ProcessPath
                ?? throw new PlatformNotSupportedException(
                    "The system does not tell which program this process runs, so it cannot start another one like it."
                ),
            Assembly.GetEntryAssembly()!.Location
        );

    /// <summary>The command that starts a program again.</summary>
    /// <param name="processPath">The executable of the process.</param>
    /// <param name="entryAssembly">The .dll that holds its entry point.</param>
    internal static EngramCommand Of(string processPath, string entryAssembly) =>
        Path.GetFileNameWithoutExtension(processPath).Equals(Host, StringComparison.OrdinalIgnoreCase)
            ? new(processPath, [entryAssembly])
            : new(processPath, []);
}

using System.Runtime.InteropServices;
using TorchSharp;

namespace Engram.Studies.Benchmarks;

/// <summary>Where figures were measured: without it, speeds mean nothing.</summary>
/// <param name="Processor">Its name.</param>
/// <param name="Cores">Cores that the process may use.</param>
/// <param name="MemoryGib">Memory that the process may use, GiB.</param>
/// <param name="System">Operating system.</param>
/// <param name="Engram">Version of this program.</param>
/// <param name="Dotnet">Version of the runtime.</param>
/// <param name="TorchSharp">Version of TorchSharp.</param>
public sealed record Machine(string Processor, int Cores, double MemoryGib, string System, string Engram, string Dotnet, string TorchSharp)
{
    private const string ProcessorFile = "/proc/cpuinfo";
    private const double Gibibyte = 1L << 30;

    /// <summary>The machine this process runs on.</summary>
    public static Machine This() =>
        new(
            ProcessorName(),
            Environment.ProcessorCount,
            Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / Gibibyte, 1),
            RuntimeInformation.OSDescription,
            VersionOf(typeof(Machine)),
            Environment.Version.ToString(),
            VersionOf(typeof(torch))
        );

    private static string ProcessorName()
    {
        var line = File.Exists(ProcessorFile)
            ? File.ReadLines(ProcessorFile).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':') + 1)..].Trim();
    }

    private static string VersionOf(Type type) => type.Assembly.GetName().Version?.ToString(3) ?? "unknown";
}

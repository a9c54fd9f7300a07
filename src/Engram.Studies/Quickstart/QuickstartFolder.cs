using System.Globalization;
using Engram.Storage;

namespace Engram.Studies.Quickstart;

/// <summary>
/// Where a quickstart keeps its files: <c>study.json</c> (what it is), <c>data/</c>, <c>seed-N/ARM/</c> (one training run each, with
/// <c>train.log</c>),
/// <c>results.json</c>, <c>report.html</c>, <c>chart.png</c>.
/// </summary>
/// <param name="root">The folder, as it was given.</param>
internal sealed class QuickstartFolder(string root)
{
    public string Root => root;

    public string Data => Path.Combine(root, "data");

    public string Results => Path.Combine(root, "results.json");

    public string Report => Path.Combine(root, "report.html");

    public string Chart => Path.Combine(root, "chart.png");

    public string Run(long seed, QuickstartArm arm) => Run(seed, arm.Name);

    /// <summary>Where the trained model of an arm lies.</summary>
    public string Model(long seed, string arm) => Path.Combine(Run(seed, arm), "model");

    public string Log(long seed, QuickstartArm arm) => Path.Combine(Run(seed, arm), "train.log");

    private string Run(long seed, string arm) => Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"seed-{seed}"), arm);

    private string Study => Path.Combine(root, "study.json");

    /// <summary>Whether the report shows the results that are there.</summary>
    public bool ReportIsCurrent =>
        File.Exists(Report) && File.Exists(Results) && File.GetLastWriteTimeUtc(Report) >= File.GetLastWriteTimeUtc(Results);

    /// <summary>Creates the folder, or makes sure that what it holds comes from the same study.</summary>
    /// <exception cref="IOException">It comes from another one, or cannot be written.</exception>
    public void Claim(QuickstartStudy study)
    {
        if (File.Exists(root))
            throw new IOException($"{root}: is a file. Choose another --output.");
        Directory.CreateDirectory(root);
        var identity = study.Identity();
        if (!File.Exists(Study) && Directory.EnumerateFileSystemEntries(root).Any())
            throw new IOException($"{root}: is not empty and holds no quickstart. Choose another --output.");
        if (!File.Exists(Study))
            AtomicFile.WriteAllText(Study, identity);
        else if (File.ReadAllText(Study) != identity)
            throw new IOException(
                $"{Study}: the folder holds a quickstart of another corpus, other models or other settings. Choose another --output, or delete {root}."
            );
    }
}

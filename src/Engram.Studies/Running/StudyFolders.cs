namespace Engram.Studies.Running;

/// <summary>Where a call keeps its files.</summary>
/// <param name="Runs">
/// Prepared texts and trained models: <c>data/</c>, <c>models/HASH/</c>, <c>logs/</c>. Large, and not needed once everything is measured.
/// </param>
/// <param name="Results">
/// What is kept and published: <c>STUDY/measurements.jsonl</c>, <c>STUDY/exhibits/</c>, <c>STUDY/report-SIZE.html</c>, <c>texts.json</c>,
/// <c>index.html</c>.
/// </param>
public sealed record StudyFolders(string Runs, string Results)
{
    private const string Pattern = "measurements*.jsonl";

    internal string Data => Path.Combine(Runs, "data");

    internal string Run(string inputs) => Path.Combine(Runs, "models", inputs);

    // Beside the runs: a run that begins with another's model wants its folder empty.
    internal string Logs => Path.Combine(Runs, "logs");

    internal string Log(string inputs) => Path.Combine(Logs, inputs + ".log");

    internal string Study(string name) => Path.Combine(Results, name);

    /// <summary>The file of a study's rows.</summary>
    public string Rows(string study) => Path.Combine(Study(study), "measurements.jsonl");

    internal string Rows(string study, StudySlice slice) =>
        slice.Count == 1 ? Rows(study) : Path.Combine(Study(study), $"measurements.{slice.Index}-of-{slice.Count}.jsonl");

    /// <summary>A part of the report that shows a model, by the hash of its run.</summary>
    internal string Exhibit(string study, string inputs, string name) => Path.Combine(Study(study), "exhibits", $"{inputs}-{name}.html");

    internal string Timings(string study) => Path.Combine(Study(study), "timings.jsonl");

    /// <summary>All files of rows of a study: the whole one and those of slices.</summary>
    internal IReadOnlyList<string> RowFiles(string study) =>
        Directory.Exists(Study(study)) ? [.. Directory.GetFiles(Study(study), Pattern).Order(StringComparer.Ordinal)] : [];

    /// <summary>The files of rows of all studies.</summary>
    internal IReadOnlyList<string> AllRowFiles =>
        Directory.Exists(Results)
            ? [.. Directory.GetDirectories(Results).Order(StringComparer.Ordinal).SelectMany(folder => RowFiles(Path.GetFileName(folder)))]
            : [];
}

/// <summary>The part of a study that one machine does.</summary>
/// <param name="Index">Which one, from 1.</param>
/// <param name="Count">Of how many.</param>
public sealed record StudySlice(int Index, int Count)
{
    /// <summary>Everything.</summary>
    public static StudySlice Whole { get; } = new(1, 1);

    /// <summary>Reads <c>i/n</c>.</summary>
    /// <exception cref="ArgumentException">It is no such thing.</exception>
    public static StudySlice Parse(string text)
    {
        var parts = text.Split('/');
        return
            parts.Length == 2
            && int.TryParse(parts[0], out var index)
            && int.TryParse(parts[1], out var count)
            && index >= 1
            && index <= count
            ? new StudySlice(index, count)
            : throw new ArgumentException($"'{text}' is no slice: give i/n with i from 1 to n, for example 1/4.");
    }
}

using System.IO.Enumeration;

namespace Engram.Evaluation.Datasets;

/// <summary>Files of a data set below a root folder.</summary>
public static class DatasetFiles
{
    /// <summary>
    /// The files that a pattern names, in order of their paths: folders and a file name divided by "/", each perhaps with "*" and "?"; "**"
    /// stands for any number of folders.
    /// </summary>
    /// <param name="root">The folder below which they lie. It need not exist.</param>
    /// <param name="pattern">For example "mmlu/rows/test.jsonl" or "cmmlu/data/test/*.csv".</param>
    public static IReadOnlyList<string> Find(string root, string pattern)
    {
        IEnumerable<string> places = [root];
        var steps = pattern.Split('/');
        for (var i = 0; i < steps.Length; i++)
        {
            var (step, last) = (steps[i], i == steps.Length - 1);
            places = places
                .Where(Directory.Exists)
                .SelectMany(place =>
                    step == "**" ? [place, .. Directory.EnumerateDirectories(place, "*", SearchOption.AllDirectories)]
                    : step.AsSpan().IndexOfAny('*', '?') < 0 ? [Path.Combine(place, step)]
                    : (last ? Directory.EnumerateFiles(place) : Directory.EnumerateDirectories(place)).Where(found =>
                        FileSystemName.MatchesSimpleExpression(step, Path.GetFileName(found), ignoreCase: false)
                    )
                );
        }
        return [.. places.Where(File.Exists).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>
    /// The files of a split of a data set of the Hugging Face hub that lies below the root: as OWNER/NAME or NAME, as the hub's cache
    /// (datasets--OWNER--NAME/snapshots/REVISION), in either with or without a folder "data" or of the configuration; Parquet before JSON
    /// Lines before CSV.
    /// </summary>
    /// <param name="root">The folder below which data sets lie.</param>
    /// <param name="dataset">For example "cais/mmlu".</param>
    /// <param name="configuration">For example "all"; "*" for every configuration; null where the data set has none.</param>
    /// <param name="split">For example "test".</param>
    public static IReadOnlyList<string> FindSnapshot(string root, string dataset, string? configuration, string split)
    {
        var cached = $"datasets--{dataset.Replace("/", "--", StringComparison.Ordinal)}/snapshots/*";
        string[] homes = [dataset, dataset[(dataset.IndexOf('/') + 1)..], cached, $"hub/{cached}"];
        string[] folders = configuration is null
            ? ["", "data/", "default/", "plain_text/"]
            : [$"{configuration}/", $"data/{configuration}/"];
        foreach (var home in homes)
        foreach (var folder in folders)
        foreach (
            var file in (string[])
                [$"{split}-*.parquet", $"{split}.parquet", $"{split}/*.parquet", $"{split}.jsonl", $"{split}.json", $"{split}.csv"]
        )
            if (Find(root, $"{home}/{folder}{file}") is { Count: > 0 } found)
                return found;
        return [];
    }
}

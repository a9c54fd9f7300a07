using System.Globalization;
using System.IO.Enumeration;
using System.Text.RegularExpressions;

namespace Engram.Evaluation.Datasets;

/// <summary>Files of a data set below a root folder.</summary>
public static partial class DatasetFiles
{
    /// <summary>
    /// The files that a pattern names, in order of their paths: folders and a file name divided by "/", each perhaps with "*" and "?"; "**"
    /// stands for any number of folders.
    /// </summary>
    /// <param name="root">The folder below which they lie. It need not exist.</param>
    /// <param name="pattern">For example "mmlu/rows/test.jsonl" or "cmmlu/data/test/*.csv".</param>
    /// <exception cref="InvalidDataException">Of files that are parts of one, some are missing.</exception>
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
        return WithAllParts([.. places.Where(File.Exists).Distinct().Order(StringComparer.Ordinal)]);
    }

    /// <summary>
    /// As <see cref="Find"/>; where nothing lies there, the same below the hub's cache if the pattern begins with OWNER/NAME.
    /// </summary>
    /// <exception cref="InvalidDataException">
    /// The cache has several revisions and does not say which counts, or parts are missing.
    /// </exception>
    public static IReadOnlyList<string> FindHereOrInCache(string root, string pattern)
    {
        if (Find(root, pattern) is { Count: > 0 } found || pattern.Split('/', 3) is not [var owner, var name, var rest])
            return Find(root, pattern);
        return Cached(root, $"{owner}/{name}").Select(snapshot => Find(snapshot, rest)).FirstOrDefault(files => files.Count > 0) ?? [];
    }

    /// <summary>
    /// The files of a split of a data set of the Hugging Face hub that lies below the root: as OWNER/NAME or NAME, as the hub's cache
    /// (datasets--OWNER--NAME/snapshots/REVISION), in either with or without a folder "data" or of the configuration; Parquet before JSON
    /// Lines before CSV and TSV.
    /// </summary>
    /// <param name="root">The folder below which data sets lie.</param>
    /// <param name="dataset">For example "cais/mmlu".</param>
    /// <param name="configuration">For example "all"; "*" for every configuration; null where the data set has none.</param>
    /// <param name="split">For example "test".</param>
    /// <exception cref="InvalidDataException">
    /// The cache has several revisions and does not say which counts, or parts are missing.
    /// </exception>
    public static IReadOnlyList<string> FindSnapshot(string root, string dataset, string? configuration, string split)
    {
        string[] homes = [Path.Combine(root, dataset), Path.Combine(root, dataset[(dataset.IndexOf('/') + 1)..]), .. Cached(root, dataset)];
        string[] folders = configuration is null
            ? ["", "data/", "default/", "plain_text/"]
            : [$"{configuration}/", $"data/{configuration}/"];
        foreach (var home in homes)
        foreach (var folder in folders)
        foreach (
            var file in (string[])
                [
                    $"{split}-*.parquet",
                    $"{split}.parquet",
                    $"{split}/*.parquet",
                    $"{split}.jsonl",
                    $"{split}.json",
                    $"{split}.csv",
                    $"{split}.tsv",
                ]
        )
            if (Find(home, $"{folder}{file}") is { Count: > 0 } found)
                return found;
        return [];
    }

    /// <summary>The revision of a data set that the hub's cache holds: the one that "refs/main" names, or the only one.</summary>
    private static IEnumerable<string> Cached(string root, string dataset)
    {
        foreach (var cache in (string[])[root, Path.Combine(root, "hub")])
        {
            var home = Path.Combine(cache, $"datasets--{dataset.Replace("/", "--", StringComparison.Ordinal)}");
            var snapshots = Path.Combine(home, "snapshots");
            if (!Directory.Exists(snapshots))
                continue;
            var main = Path.Combine(home, "refs", "main");
            string[] revisions = File.Exists(main)
                ? [Path.Combine(snapshots, File.ReadAllText(main).Trim())]
                : Directory.GetDirectories(snapshots);
            if (revisions.Length > 1)
                throw new InvalidDataException(
                    $"{snapshots}: {revisions.Length} revisions, and no refs/main says which counts. Delete all but one."
                );
            foreach (var revision in revisions)
                yield return revision;
        }
    }

    /// <summary>Files of which those called "…-00000-of-00002.parquet" are complete.</summary>
    private static IReadOnlyList<string> WithAllParts(IReadOnlyList<string> files)
    {
        foreach (var whole in files.Select(file => (File: file, Part: PartName().Match(file))).Where(file => file.Part.Success))
        {
            var parts = int.Parse(whole.Part.Groups["parts"].ValueSpan, CultureInfo.InvariantCulture);
            for (var part = 0; part < parts; part++)
                if (
                    $"{whole.Part.Groups["stem"]}-{part:D5}-of-{parts:D5}{whole.Part.Groups["ending"]}" is var name
                    && !files.Contains(name)
                )
                    throw new InvalidDataException($"{name}: missing, of {parts} parts. Fetch the data set again.");
        }
        return files;
    }

    [GeneratedRegex(@"^(?<stem>.*)-\d{5}-of-(?<parts>\d{5})(?<ending>\.\w+)$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex PartName();
}

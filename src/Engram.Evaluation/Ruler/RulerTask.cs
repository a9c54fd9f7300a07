using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.Ruler;

/// <summary>What the text of a task is made of.</summary>
internal enum Haystack
{
    /// <summary>The same few sentences again and again.</summary>
    Noise,

    /// <summary>Prose.</summary>
    Essay,

    /// <summary>Sentences like the one that is looked for, about other keys.</summary>
    Needles,

    /// <summary>Nothing of these.</summary>
    Own,
}

/// <summary>What keys and values of a needle are.</summary>
internal enum NeedleWords
{
    /// <summary>adjective-noun.</summary>
    Words,

    /// <summary>Seven digits.</summary>
    Numbers,

    /// <summary>Random identifiers of version 4.</summary>
    Uuids,
}

/// <summary>
/// One of the 13 tasks of RULER (Hsieh et al. 2024, arXiv 2404.06654; settings of scripts/synthetic.yaml). Wording, word lists and, unless
/// the user gives them, texts are this project's own.
/// </summary>
/// <param name="Name">As published.</param>
/// <param name="Category">What its score is averaged with.</param>
/// <param name="Haystack">What the text is made of.</param>
/// <param name="NewTokens">Tokens that an answer may have.</param>
/// <param name="Metric">How answers are compared.</param>
internal sealed record RulerTask(string Name, string Category, Haystack Haystack, int NewTokens, RulerMetric Metric = RulerMetric.All)
{
    /// <summary>What needles are looked for by.</summary>
    public NeedleWords KeyWords { get; init; } = NeedleWords.Words;

    /// <summary>What is looked for.</summary>
    public NeedleWords ValueWords { get; init; } = NeedleWords.Numbers;

    /// <summary>Different keys in the text.</summary>
    public int Keys { get; init; } = 1;

    /// <summary>Values of each key.</summary>
    public int Values { get; init; } = 1;

    /// <summary>Keys that are asked for.</summary>
    public int Queries { get; init; } = 1;

    /// <summary>All of them, in the published order.</summary>
    public static IReadOnlyList<RulerTask> All { get; } =
    [
        new("niah_single_1", "S", Haystack.Noise, 128),
        new("niah_single_2", "S", Haystack.Essay, 128),
        new("niah_single_3", "S", Haystack.Essay, 128) { ValueWords = NeedleWords.Uuids },
        new("niah_multikey_1", "MK", Haystack.Essay, 128) { Keys = 4 },
        new("niah_multikey_2", "MK", Haystack.Needles, 128),
        new("niah_multikey_3", "MK", Haystack.Needles, 128) { KeyWords = NeedleWords.Uuids, ValueWords = NeedleWords.Uuids },
        new("niah_multivalue", "MV", Haystack.Essay, 128) { Values = 4 },
        new("niah_multiquery", "MQ", Haystack.Essay, 128) { Keys = 4, Queries = 4 },
        new("vt", "VT", Haystack.Noise, 30),
        new("cwe", "CWE", Haystack.Own, 120),
        new("fwe", "FWE", Haystack.Own, 50),
        new("qa_1", "QA", Haystack.Own, 32, RulerMetric.Any),
        new("qa_2", "QA", Haystack.Own, 32, RulerMetric.Any),
    ];

    /// <summary>The tasks of these names.</summary>
    /// <exception cref="ArgumentException">There is no such task.</exception>
    public static IReadOnlyList<RulerTask> Named(IEnumerable<string> names) =>
        [
            .. names.Select(name =>
                All.FirstOrDefault(task => task.Name == name)
                ?? throw new ArgumentException(
                    $"RULER has no task '{name}'; it has {string.Join(", ", All.Select(task => task.Name))}.",
                    nameof(RulerOptions.Tasks)
                )
            ),
        ];
}

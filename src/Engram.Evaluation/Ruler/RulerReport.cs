namespace Engram.Evaluation.Ruler;

/// <summary>How far RULER is.</summary>
/// <param name="Samples">Samples that are answered.</param>
/// <param name="OfSamples">All samples.</param>
/// <param name="Remaining">Time that the rest takes; null before there is an answer of this run to judge by.</param>
public readonly record struct RulerProgress(int Samples, int OfSamples, TimeSpan? Remaining);

/// <summary>The score of a task.</summary>
/// <param name="Task">Its name.</param>
/// <param name="Category">Its category.</param>
/// <param name="Score">In percent, two decimals.</param>
/// <param name="Samples">Samples.</param>
/// <param name="MeanTokens">Tokens read, in the mean.</param>
/// <param name="GivenMaterial">
/// Which of <c>words</c>, <c>essays</c> and <c>questions</c> the task is made of and the user gives; whether they are the published ones is
/// not known.
/// </param>
/// <param name="OwnMaterial">Which of them this project's replacements stand for.</param>
public sealed record RulerTaskScore(
    string Task,
    string Category,
    double Score,
    int Samples,
    double MeanTokens,
    IReadOnlyList<string> GivenMaterial,
    IReadOnlyList<string> OwnMaterial
);

/// <summary>The mean score of a category's tasks.</summary>
/// <param name="Category">Its name.</param>
/// <param name="Score">In percent, two decimals.</param>
public sealed record RulerCategoryScore(string Category, double Score);

/// <summary>Scores of a length.</summary>
/// <param name="Length">Most tokens of a sample.</param>
/// <param name="Seed">What the samples follow from.</param>
/// <param name="Tasks">By task.</param>
/// <param name="Categories">By category.</param>
/// <param name="Average">Mean over the tasks.</param>
public sealed record RulerReport(
    int Length,
    long Seed,
    IReadOnlyList<RulerTaskScore> Tasks,
    IReadOnlyList<RulerCategoryScore> Categories,
    double Average
);

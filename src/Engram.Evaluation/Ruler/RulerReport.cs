namespace Engram.Evaluation.Ruler;

/// <summary>An answer to a sample.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Index">Number of the sample.</param>
/// <param name="PromptSha256">sha256 of all that the model read, in hex.</param>
/// <param name="Tokens">Tokens that the model read.</param>
/// <param name="Prediction">What it wrote.</param>
/// <param name="Gold">What it was to write.</param>
/// <param name="Score">The share of that which it wrote, in [0, 1].</param>
public sealed record RulerAnswer(
    string Task,
    int Index,
    string PromptSha256,
    int Tokens,
    string Prediction,
    IReadOnlyList<string> Gold,
    double Score
);

/// <summary>The score of a task.</summary>
/// <param name="Task">Its name.</param>
/// <param name="Category">Its category.</param>
/// <param name="Score">In percent, two decimals.</param>
/// <param name="Samples">Samples.</param>
/// <param name="MeanTokens">Tokens read, in the mean.</param>
/// <param name="Comparable">
/// Whether word lists, essays and questions are the user's; own ones make scores that stand for themselves.
/// </param>
public sealed record RulerTaskScore(string Task, string Category, double Score, int Samples, double MeanTokens, bool Comparable);

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

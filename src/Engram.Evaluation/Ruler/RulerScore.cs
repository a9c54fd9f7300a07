namespace Engram.Evaluation.Ruler;

/// <summary>Scores of tasks and categories, in percent with two decimals.</summary>
internal static class RulerScore
{
    /// <summary>The score of a task.</summary>
    public static double OfTask(IEnumerable<double> answers) => Math.Round(100 * answers.Average(), 2, MidpointRounding.AwayFromZero);

    /// <summary>Each category's mean over its tasks, in the order of the tasks.</summary>
    public static IReadOnlyList<(string Category, double Score)> ByCategory(IEnumerable<(RulerTask Task, double Score)> tasks) =>
        [
            .. tasks
                .GroupBy(entry => entry.Task.Category)
                .Select(group => (group.Key, Math.Round(group.Average(entry => entry.Score), 2, MidpointRounding.AwayFromZero))),
        ];
}

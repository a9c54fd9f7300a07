using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.Harness;

/// <summary>Two models on the same items of a task.</summary>
/// <param name="Task">The task or group.</param>
/// <param name="Metric">Its headline metric; "score" for a group of several.</param>
/// <param name="Model">The first model.</param>
/// <param name="Other">The second model.</param>
/// <param name="Difference">Mean of first minus second; of a group weighed as its score.</param>
/// <param name="StandardError">Of the difference, by paired bootstrap.</param>
/// <param name="Low">Lower end of the 95 % interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="PValue">Two-sided.</param>
/// <param name="Items">Items compared.</param>
public sealed record TaskComparison(
    string Task,
    string Metric,
    string Model,
    string Other,
    double Difference,
    double StandardError,
    double Low,
    double High,
    double PValue,
    int Items
)
{
    /// <summary>Compares two runs on the items that both have scored, for each task and group with at least two.</summary>
    /// <param name="tasks">As they were run.</param>
    /// <param name="model">What the first is called.</param>
    /// <param name="one">The first run.</param>
    /// <param name="otherModel">What the second is called.</param>
    /// <param name="other">The second run.</param>
    public static IReadOnlyList<TaskComparison> Of(
        IReadOnlyList<TaskFile> tasks,
        string model,
        EvaluationResult one,
        string otherModel,
        EvaluationResult other
    )
    {
        var comparisons = new List<TaskComparison>();
        foreach (var task in TaskRunner.GroupsAndLeaves(tasks))
        {
            PairedScores[] parts =
            [
                .. TaskRunner
                    .Leaves(task)
                    .Select(leaf => Pairs(one.Headlines[leaf.Task], other.Headlines[leaf.Task]))
                    .Where(pairs => pairs.One.Count > 0),
            ];
            if (parts.Sum(part => part.One.Count) < 2)
                continue;
            var difference = Bootstrap.Compare(parts, task.WeightBySize, EvaluationOptions.BootstrapSeed);
            comparisons.Add(
                new(
                    task.Task,
                    one.Results.First(result => result.Task == task.Task).Metric,
                    model,
                    otherModel,
                    difference.Difference,
                    difference.StandardError,
                    difference.Low,
                    difference.High,
                    difference.PValue,
                    difference.Items
                )
            );
        }
        return comparisons;
    }

    private static PairedScores Pairs(IReadOnlyDictionary<int, ItemScore> one, IReadOnlyDictionary<int, ItemScore> other)
    {
        int[] shared = [.. one.Keys.Where(other.ContainsKey).Order()];
        return new(
            [.. shared.Select(index => one[index].Value)],
            [.. shared.Select(index => other[index].Value)],
            [.. shared.Select(index => one[index].Cluster)]
        );
    }
}

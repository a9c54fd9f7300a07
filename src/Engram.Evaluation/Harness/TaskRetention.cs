using Engram.Evaluation.Metrics;

namespace Engram.Evaluation.Harness;

/// <summary>What share of a task's score a model keeps when a part of its memory is silenced.</summary>
/// <param name="Task">The task or group.</param>
/// <param name="Metric">Its headline metric; "score" for a group of several.</param>
/// <param name="Model">The model.</param>
/// <param name="Memory">What the memory did apart from that.</param>
/// <param name="Suppressed">The part that was silenced.</param>
/// <param name="Retained">Both scores and the share, over the items that both runs have scored.</param>
public sealed record TaskRetention(string Task, string Metric, string Model, string Memory, string Suppressed, RetainedShare Retained)
{
    /// <summary>Compares a run with one of the same model whose memory was whole, for each task and group that has scored items.</summary>
    /// <param name="tasks">As they were run.</param>
    /// <param name="full">The run with the whole memory.</param>
    /// <param name="less">The run with a part silenced.</param>
    public static IReadOnlyList<TaskRetention> Of(IReadOnlyList<TaskFile> tasks, EvaluationResult full, EvaluationResult less)
    {
        var retained = new List<TaskRetention>();
        foreach (var task in TaskRunner.GroupsAndLeaves(tasks))
        {
            PairedItem[][] parts =
            [
                .. TaskRunner
                    .Leaves(task)
                    .Select(leaf => Pairs(full.Headlines[leaf.Task], less.Headlines[leaf.Task]))
                    .Where(pairs => pairs.Length > 0),
            ];
            if (parts.Length == 0)
                continue;
            var result = less.Results.First(result => result.Task == task.Task);
            retained.Add(
                new(
                    task.Task,
                    result.Metric,
                    result.Model,
                    result.Memory,
                    result.Suppressed ?? throw new ArgumentException("The second run has its whole memory.", nameof(less)),
                    RetainedShare.Of(parts, task.WeightBySize)
                )
            );
        }
        return retained;
    }

    private static PairedItem[] Pairs(IReadOnlyDictionary<int, ItemScore> full, IReadOnlyDictionary<int, ItemScore> less) =>
        [
            .. full.Where(item => less.ContainsKey(item.Key))
                .OrderBy(item => item.Key)
                .Select(item => new PairedItem(item.Value.Value, less[item.Key].Value, item.Value.Chance, item.Value.Cluster)),
        ];
}

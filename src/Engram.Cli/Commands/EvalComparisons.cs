using Engram.Cli.CommandLine;
using Engram.Evaluation.Harness;
using Spectre.Console;
using static Engram.Cli.CommandLine.Columns;

namespace Engram.Cli.Commands;

/// <summary>Which columns of <c>engram eval</c> are compared, and the table of their differences.</summary>
internal static class EvalComparisons
{
    /// <summary>
    /// Each column with what it is a change of: a part silenced with the whole memory, a control with the items as they are, a use of the
    /// memory with the model's first, a model with the first one at the same use.
    /// </summary>
    public static IReadOnlyList<TaskComparison> Of(IReadOnlyList<TaskFile> tasks, IReadOnlyList<EvalArm> arms, string[] names)
    {
        var comparisons = new List<TaskComparison>();
        for (var i = 0; i < arms.Count; i++)
            foreach (var j in Bases(arms, i).Distinct())
                comparisons.AddRange(TaskComparison.Of(tasks, names[j], arms[j].Result, names[i], arms[i].Result));
        return comparisons;
    }

    public static void Write(IReadOnlyList<TaskComparison> comparisons)
    {
        var table = new Table().AddColumn("compared").AddColumn("task").AddColumn("metric");
        foreach (var title in (string[])["items", "difference", "95 % from", "to", "p"])
            table.AddColumn(Number(title));
        var last = "";
        foreach (var one in comparisons)
        {
            var pair = $"{one.Model} less {one.Other}";
            string[] cells =
            [
                pair == last ? "" : pair,
                one.Task,
                one.Metric,
                $"{one.Items:N0}",
                $"{Signed(one.Difference)} ± {one.StandardError:F4}",
                Signed(one.Low),
                Signed(one.High),
                $"{one.PValue:F3}",
            ];
            table.AddRow(cells.Select(cell => new Text(cell)));
            last = pair;
        }
        Terminal.Answer.Write(table);
    }

    private static IEnumerable<int> Bases(IReadOnlyList<EvalArm> arms, int i)
    {
        var arm = arms[i];
        // Arms stand in the order of models, uses, controls and parts.
        int[] own = [.. Enumerable.Range(0, i).Where(j => arms[j].Model == arm.Model)];
        int[] same = [.. own.Where(j => arms[j].Memory == arm.Memory)];
        if (arm.Suppressed is not null)
        {
            yield return same.First(j => arms[j].Control == arm.Control && arms[j].Suppressed is null);
            yield break;
        }
        foreach (var j in same.Take(1).Where(j => arms[j].Control != arm.Control))
            yield return j;
        if (same.Length > 0)
            yield break;
        foreach (var j in own.Take(1))
            yield return j;
        // A model whose use the first one does not have, such as one without memory, is compared with the first column.
        int[] first = [.. Enumerable.Range(0, i).Where(j => arms[j].Model == arms[0].Model && arms[j].Memory == arm.Memory)];
        if (arm.Model != arms[0].Model && (first.Length > 0 || own.Length == 0))
            yield return first.FirstOrDefault();
    }

    private static string Signed(double value) => $"{value:+0.0000;-0.0000;0.0000}";
}

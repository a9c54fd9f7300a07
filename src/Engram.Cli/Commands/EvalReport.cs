using Engram.Cli.CommandLine;
using Engram.Evaluation.Harness;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>One column of a report: a model with one use of its memory.</summary>
internal sealed record EvalArm(string Model, string Memory, EvaluationResult Result)
{
    public string Name(bool models, bool memories) =>
        models && memories ? $"{Model} ({Memory})"
        : memories ? $"memory {Memory}"
        : Model;
}

/// <summary>What <c>engram eval</c> answers.</summary>
internal static class EvalReport
{
    public static void List(IReadOnlyList<TaskListing> tasks, bool json)
    {
        if (json)
        {
            Terminal.Json(tasks);
            return;
        }
        var table = new Table()
            .AddColumn("task")
            .AddColumn("found")
            .AddColumn(new TableColumn("rows").RightAligned())
            .AddColumn("where")
            .AddColumn("missing");
        foreach (var task in tasks)
            table.AddRow(Plain(task.Task, task.Found ? "yes" : "no", $"{task.Rows:N0}", task.Path ?? "", task.Missing ?? ""));
        Terminal.Answer.Write(table);
    }

    public static void Write(IReadOnlyList<EvalArm> arms, bool json)
    {
        var (models, memories) = (arms.DistinctBy(arm => arm.Model).Count() > 1, arms.DistinctBy(arm => arm.Memory).Count() > 1);
        var firstName = arms[0].Name(models, memories);
        TaskComparison[] comparisons =
        [
            .. arms.Skip(1).SelectMany(other => TaskRunner.Compare(firstName, arms[0].Result, other.Name(models, memories), other.Result)),
        ];
        if (json)
        {
            Terminal.Json(
                new
                {
                    Results = arms.SelectMany(arm => arm.Result.Results),
                    Comparisons = comparisons,
                    Speed = arms.Select(arm => new
                    {
                        arm.Model,
                        arm.Memory,
                        arm.Result.Tokens,
                        arm.Result.TokensRead,
                        Seconds = arm.Result.Elapsed.TotalSeconds,
                        TokensPerSecond = Speed(arm.Result),
                    }),
                }
            );
            return;
        }

        var table = new Table()
            .AddColumn("task")
            .AddColumn("metric")
            .AddColumn(new TableColumn("shots").RightAligned())
            .AddColumn(new TableColumn("items").RightAligned());
        foreach (var arm in arms)
            table.AddColumn(new TableColumn(Markup.Escape(arm.Name(models, memories))).RightAligned());
        table.AddColumn(new TableColumn("paper, Engram-27B").RightAligned());
        var first = arms[0].Result.Results;
        for (var i = 0; i < first.Count; i++)
            table.AddRow(
                Plain([
                    first[i].Task,
                    first[i].Metric + (first[i].Control == "none" ? "" : $" ({first[i].Control} exchanged)"),
                    $"{first[i].Shots}",
                    $"{first[i].Items:N0}",
                    .. arms.Select(arm => Score(arm.Result.Results[i])),
                    first[i].Published is { } published ? $"{published:F3}" : "",
                ])
            );
        Terminal.Answer.Write(table);
        foreach (var one in comparisons)
            Console.Out.WriteLine(
                $"{one.Task} {one.Metric}: {one.Model} less {one.Other} {Signed(one.Difference)}, "
                    + $"95 % from {Signed(one.Low)} to {Signed(one.High)}, p = {one.PValue:F3} ({one.Items:N0} items, paired bootstrap)"
            );
        foreach (var arm in arms)
            Terminal.Note(
                $"{arm.Name(models, memories)}: {arm.Result.Tokens:N0} tokens in {arm.Result.Elapsed.TotalSeconds:N1} s, "
                    + $"{Speed(arm.Result):N0} tokens/s; {arm.Result.TokensRead:N0} were read, the rest was shared"
            );
    }

    private static string Score(TaskResult result) =>
        result.Value is not { } value ? "not run"
        : result.StandardError is { } error ? $"{value:F4} ± {error:F4}"
        : $"{value:F4}";

    private static string Signed(double value) => $"{value:+0.0000;-0.0000;0.0000}";

    private static double Speed(EvaluationResult result) => result.Tokens / Math.Max(1e-9, result.Elapsed.TotalSeconds);

    // Texts of files may hold what the table takes for markup.
    private static Text[] Plain(params string[] cells) => [.. cells.Select(cell => new Text(cell))];
}

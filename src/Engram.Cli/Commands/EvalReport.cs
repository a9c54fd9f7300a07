using Engram.Cli.CommandLine;
using Engram.Evaluation.Harness;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>One column of a report: a model with one use of its memory, perhaps with a part of it silenced.</summary>
internal sealed record EvalArm(string Model, string Memory, string? Suppressed, EvaluationResult Result);

/// <summary>What <c>engram eval</c> answers.</summary>
internal static class EvalReport
{
    public static void Write(IReadOnlyList<EvalArm> arms, IReadOnlyList<TaskRetention> retained, int? maxLength, bool json)
    {
        var names = Names(arms);
        TaskComparison[] comparisons =
        [
            .. arms.Skip(1).SelectMany((other, i) => TaskRunner.Compare(names[0], arms[0].Result, names[i + 1], other.Result)),
        ];
        NoteWhatIsMissing(arms[0].Result.Results, maxLength);
        if (json)
        {
            Terminal.Json(
                new
                {
                    Results = arms.SelectMany(arm => arm.Result.Results),
                    Comparisons = comparisons,
                    Retained = retained.Select(Row),
                    Speed = arms.Select(arm => new
                    {
                        arm.Model,
                        arm.Memory,
                        arm.Suppressed,
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
        foreach (var name in names)
            table.AddColumn(new TableColumn(Markup.Escape(name)).RightAligned());
        table.AddColumn(new TableColumn("paper, Engram-27B").RightAligned());
        var first = arms[0].Result.Results;
        for (var i = 0; i < first.Count; i++)
            table.AddRow(
                Plain([
                    first[i].Task,
                    first[i].Metric + (first[i].Control == "none" ? "" : $" ({first[i].Control} exchanged)"),
                    first[i].Shots < first[i].ShotsAsked ? $"{first[i].Shots} of {first[i].ShotsAsked}" : $"{first[i].Shots}",
                    $"{first[i].Items:N0}",
                    .. arms.Select(arm => Score(arm.Result.Results[i])),
                    first[i].Published is { } published ? $"{published:F3}" : "",
                ])
            );
        Terminal.Answer.Write(table);
        if (retained.Count > 0)
            Write(retained);
        foreach (var one in comparisons)
            Console.Out.WriteLine(
                $"{one.Task} {one.Metric}: {one.Model} less {one.Other} {Signed(one.Difference)}, "
                    + $"95 % from {Signed(one.Low)} to {Signed(one.High)}, p = {one.PValue:F3} ({one.Items:N0} items, paired bootstrap)"
            );
        foreach (var (arm, name) in arms.Zip(names))
            Terminal.Note(
                $"{name}: {arm.Result.Tokens:N0} tokens in {arm.Result.Elapsed.TotalSeconds:N1} s, "
                    + $"{Speed(arm.Result):N0} tokens/s; {arm.Result.TokensRead:N0} were read, the rest was shared"
            );
    }

    /// <summary>Says what the numbers do not: prompts that were cut, and programs that did not run.</summary>
    private static void NoteWhatIsMissing(IReadOnlyList<TaskResult> results, int? maxLength)
    {
        var limit = maxLength is { } length ? $"--max-length {length}" : "the model's context";
        foreach (var cut in results.Where(result => result.Truncated > 0).DistinctBy(result => result.Task))
            Terminal.Note($"{cut.Task}: {cut.Truncated:N0} of {cut.Items:N0} prompts lost their beginning, for which {limit} has no room");
        foreach (var task in results.Where(result => result.Value is null).Select(result => result.Task).Distinct())
            Terminal.Note($"{task}: the programs of the model were not run, so that there is no score; --run-code runs them");
    }

    /// <summary>What tells the columns from each other.</summary>
    private static string[] Names(IReadOnlyList<EvalArm> arms)
    {
        var (models, memories) = (arms.DistinctBy(arm => arm.Model).Count() > 1, arms.DistinctBy(arm => arm.Memory).Count() > 1);
        var parts = arms.Any(arm => arm.Suppressed is not null);
        return [.. arms.Select(Name)];

        string Name(EvalArm arm)
        {
            string[] words =
            [
                models ? arm.Model : "",
                memories ? $"memory {arm.Memory}" : "",
                arm.Suppressed is { } part ? $"without {part}"
                : parts ? "whole"
                : "",
            ];
            var name = string.Join(", ", words.Where(word => word.Length > 0));
            return name.Length > 0 ? name : arm.Model;
        }
    }

    private static void Write(IReadOnlyList<TaskRetention> retained)
    {
        var (models, memories) = (retained.DistinctBy(one => one.Model).Count() > 1, retained.DistinctBy(one => one.Memory).Count() > 1);
        var table = new Table().AddColumn("task").AddColumn("metric").AddColumn("without");
        foreach (var title in (string[])["items", "whole", "chance", "silenced", "kept, %", "kept above chance, %"])
            table.AddColumn(new TableColumn(title).RightAligned());
        foreach (var one in retained)
            table.AddRow(
                Plain(
                    one.Task,
                    one.Metric,
                    one.Suppressed + (models ? $" ({one.Model})" : "") + (memories ? $" (memory {one.Memory})" : ""),
                    $"{one.Retained.Items:N0}",
                    $"{one.Retained.Full:F4}",
                    $"{one.Retained.Chance:F4}",
                    $"{one.Retained.Less:F4}",
                    Share(one.Retained.Share, one.Retained.ShareError, "nothing to keep"),
                    Share(one.Retained.AboveChance, one.Retained.AboveChanceError, "not above chance")
                )
            );
        Terminal.Answer.Write(table);
    }

    private static string Share(double? share, double? error, string none) =>
        share is not { } value ? none
        : error is { } deviation ? $"{100 * value:F1} ± {100 * deviation:F1}"
        : $"{100 * value:F1}";

    private static object Row(TaskRetention one) =>
        new
        {
            one.Task,
            one.Metric,
            one.Suppressed,
            Whole = one.Retained.Full,
            Silenced = one.Retained.Less,
            one.Retained.Chance,
            one.Retained.Share,
            ShareStandardError = one.Retained.ShareError,
            one.Retained.AboveChance,
            AboveChanceStandardError = one.Retained.AboveChanceError,
            one.Retained.Items,
            one.Model,
            one.Memory,
        };

    private static string Score(TaskResult result) =>
        result.Value is not { } value ? "not run"
        : result.StandardError is { } error ? $"{value:F4} ± {error:F4}"
        : $"{value:F4}";

    private static string Signed(double value) => $"{value:+0.0000;-0.0000;0.0000}";

    private static double Speed(EvaluationResult result) => result.Tokens / Math.Max(1e-9, result.Elapsed.TotalSeconds);

    // Texts of files may hold what the table takes for markup.
    private static Text[] Plain(params string[] cells) => [.. cells.Select(cell => new Text(cell))];
}

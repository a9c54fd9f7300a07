using Engram.Cli.CommandLine;
using Engram.Evaluation.Harness;
using Engram.Studies.Pages;
using Spectre.Console;
using static Engram.Cli.CommandLine.Columns;

namespace Engram.Cli.Commands;

/// <summary>One column of a report: a model with one use of its memory, perhaps with a part of it silenced.</summary>
/// <param name="Model">Its folder.</param>
/// <param name="Memory">What the memory does.</param>
/// <param name="Control">The counterfactual control, "none" without.</param>
/// <param name="Suppressed">The part that is silenced; null for none.</param>
/// <param name="Result">What came of it.</param>
internal sealed record EvalArm(string Model, string Memory, string Control, string? Suppressed, EvaluationResult Result);

/// <summary>What <c>engram eval</c> answers.</summary>
internal static class EvalReport
{
    // Of one item, or of items that all hang together, there is no spread to tell an error from.
    private const string NoError = "–";

    /// <summary>The machine output of a run.</summary>
    public static object Json(
        EvalRecord run,
        IReadOnlyList<EvalArm> arms,
        IReadOnlyList<TaskComparison> comparisons,
        IReadOnlyList<TaskRetention> retained
    ) =>
        new
        {
            Results = arms.SelectMany(arm => arm.Result.Results),
            Parts = arms.SelectMany(arm => arm.Result.Parts),
            Comparisons = comparisons,
            Retained = retained.Select(Row),
            Run = run,
            Speed = arms.Select(arm => new
            {
                arm.Model,
                arm.Memory,
                arm.Control,
                arm.Suppressed,
                arm.Result.Tokens,
                arm.Result.TokensRead,
                Seconds = arm.Result.Elapsed.TotalSeconds,
                TokensPerSecond = Speed(arm.Result),
            }),
        };

    /// <summary>The tables of a run.</summary>
    public static void Write(
        IReadOnlyList<EvalArm> arms,
        string[] names,
        IReadOnlyList<TaskComparison> comparisons,
        IReadOnlyList<TaskRetention> retained,
        bool byPart
    )
    {
        var first = arms[0].Result.Results;
        // Several controls stand in columns of their own.
        var control = arms.DistinctBy(arm => arm.Control).Count() == 1 && arms[0].Control != "none" ? $" ({Exchanged(arms[0])})" : "";
        var table = Scores("shots");
        table.AddColumn(Number("paper, Engram-27B"));
        for (var i = 0; i < first.Count; i++)
            table.AddRow(
                Plain([
                    first[i].Task,
                    first[i].Metric + control,
                    Shots([.. arms.Select(arm => arm.Result.Results[i])]),
                    first[i].Value is null ? "0" : Items(first[i].Items, first[i].OfItems),
                    .. arms.Select(arm => Score(arm.Result.Results[i].Value, arm.Result.Results[i].StandardError)),
                    first[i].Published is { } published ? $"{published:F3}" : "",
                ])
            );
        Terminal.Answer.Write(table);
        var parts = arms[0].Result.Parts;
        if (byPart)
        {
            var partTable = Scores("part");
            for (var i = 0; i < parts.Count; i++)
                partTable.AddRow(
                    Plain([
                        parts[i].Task,
                        parts[i].Metric + control,
                        VisibleText.Lines(parts[i].Part),
                        Items(parts[i].Items, parts[i].OfItems),
                        .. arms.Select(arm => Score(arm.Result.Parts[i].Value, arm.Result.Parts[i].StandardError)),
                    ])
                );
            Terminal.Answer.Write(partTable);
        }
        if (retained.Count > 0)
            Write(retained);
        if (comparisons.Count > 0)
            EvalComparisons.Write(comparisons);
        foreach (var (arm, name) in arms.Zip(names))
            Terminal.Note(
                $"{name}: {arm.Result.Tokens:N0} tokens in {arm.Result.Elapsed.TotalSeconds:N1} s, "
                    + $"{Speed(arm.Result):N0} tokens/s; {arm.Result.TokensRead:N0} were read, the rest was shared"
            );

        Table Scores(string third)
        {
            var scores = new Table().AddColumn("task").AddColumn("metric");
            scores.AddColumn(third == "shots" ? Number(third) : new TableColumn(third)).AddColumn(Number("items"));
            foreach (var name in names)
                scores.AddColumn(Number(Markup.Escape(name)));
            return scores;
        }
    }

    /// <summary>Says what the numbers do not: prompts that were cut, and programs that did not run.</summary>
    public static void NoteWhatIsMissing(IReadOnlyList<EvalArm> arms, int? maxLength)
    {
        var models = arms.DistinctBy(arm => arm.Model).ToArray();
        foreach (var arm in models)
        {
            TaskResult[] cut =
            [
                .. arm
                    .Result.Results.Where(result => result.Truncated > 0 && arm.Result.Headlines.ContainsKey(result.Task))
                    .DistinctBy(result => result.Task),
            ];
            if (cut.Length == 0)
                continue;
            var (prompts, limit) = (
                cut.Sum(result => result.Truncated),
                maxLength is { } length ? $"--max-length {length}" : "the model's context"
            );
            Terminal.Note(
                $"{(models.Length > 1 ? $"{arm.Model}: " : "")}{prompts:N0} {(prompts == 1 ? "prompt" : "prompts")} of "
                    + $"{(cut.Length == 1 ? cut[0].Task : $"{cut.Length} tasks")} lost their beginning, for which {limit} has no room"
                    + $"{(cut.Any(result => result.ShotsKept < result.Shots) ? "; the column shots says to how many whole examples they were cut" : "")}"
            );
        }
        string[] unrun =
        [
            .. arms[0]
                .Result.Results.Where(result => result.Value is null && arms[0].Result.Headlines.ContainsKey(result.Task))
                .Select(result => result.Task)
                .Distinct(),
        ];
        if (unrun.Length > 0)
            Terminal.Note(
                $"{string.Join(", ", unrun)}: the programs of the model were not run, so that there is no score; --run-code runs them"
            );
    }

    /// <summary>What tells the columns from each other.</summary>
    public static string[] Names(IReadOnlyList<EvalArm> arms)
    {
        var (models, memories) = (arms.DistinctBy(arm => arm.Model).Count() > 1, arms.DistinctBy(arm => arm.Memory).Count() > 1);
        var controls = arms.DistinctBy(arm => arm.Control).Count() > 1;
        var parts = arms.Any(arm => arm.Suppressed is not null);
        return [.. arms.Select(Name)];

        string Name(EvalArm arm)
        {
            string[] words =
            [
                models ? arm.Model : "",
                memories ? $"memory {arm.Memory}" : "",
                controls ? Exchanged(arm) : "",
                arm.Suppressed is { } part ? $"without {part}"
                : parts ? "whole"
                : "",
            ];
            var name = string.Join(", ", words.Where(word => word.Length > 0));
            return name.Length > 0 ? name : arm.Model;
        }
    }

    private static string Exchanged(EvalArm arm) => arm.Control == "none" ? "items as they are" : $"{arm.Control} exchanged";

    private static string Items(int items, int of) => items == of ? $"{items:N0}" : $"{items:N0} of {of:N0}";

    /// <summary>Worked examples of a task, and how many of them the prompts kept that lost most.</summary>
    private static string Shots(TaskResult[] results)
    {
        var (given, kept) = (results[0].Shots, results.Min(result => result.ShotsKept));
        return (given < results[0].ShotsAsked ? $"{given} of {results[0].ShotsAsked}" : $"{given}")
            + (kept < given ? $", cut to {kept}" : "");
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
        : $"{100 * value:F1} ± {NoError}";

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

    private static string Score(double? score, double? error) =>
        score is not { } value ? "not run"
        : error is { } deviation ? $"{value:F4} ± {deviation:F4}"
        : $"{value:F4} ± {NoError}";

    private static double Speed(EvaluationResult result) => result.Tokens / Math.Max(1e-9, result.Elapsed.TotalSeconds);

    // Texts of files may hold what the table takes for markup.
    private static Text[] Plain(params string[] cells) => [.. cells.Select(cell => new Text(cell))];
}

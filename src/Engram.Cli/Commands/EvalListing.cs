using Engram.Cli.CommandLine;
using Engram.Evaluation.Harness;
using Spectre.Console;
using Columns = Engram.Cli.CommandLine.Columns;

namespace Engram.Cli.Commands;

/// <summary>What <c>engram eval --list</c> answers. The table fits 140 columns; JSON says all of it.</summary>
internal static class EvalListing
{
    private const int Widest = 44;

    public static void Write(IReadOnlyList<TaskListing> tasks, bool json)
    {
        if (json)
        {
            Terminal.Json(tasks);
            return;
        }
        var table = new Table()
            .AddColumn("task")
            .AddColumn("kind")
            .AddColumn(Columns.Number("shots"))
            .AddColumn("metric")
            .AddColumn("found")
            .AddColumn(Columns.Number("rows"))
            .AddColumn("where, or what is missing");
        foreach (var task in tasks)
            table.AddRow(
                // Texts of files may hold what the table takes for markup.
                new Text(task.Task),
                new Text(task.Kind.ToString().ToLowerInvariant()),
                new Text($"{task.Shots}"),
                new Text(task.Metric),
                new Text(Found(task)),
                new Text(task.Rows < task.PublishedItems ? $"{task.Rows:N0} of {task.PublishedItems:N0}" : $"{task.Rows:N0}"),
                new Text(Short(task.Found ? task.Path! : $"no {task.Missing}"))
            );
        Terminal.Answer.Write(table);
        if (tasks.Any(task => task.StandIn))
            Terminal.Note("stand-in: other rows than those of published scores, beside which none is shown");
        if (tasks.Any(task => !task.Found))
            Terminal.Note("--json says in full what is missing, and what each task asks");
    }

    private static string Found(TaskListing task) =>
        task switch
        {
            { Parts: { } parts, PartsFound: var found } => $"{found} of {parts}",
            { Found: false } => "no",
            { StandIn: true } => "stand-in",
            _ => "yes",
        };

    /// <summary>A text that keeps its end: of a path, the file.</summary>
    private static string Short(string text) =>
        text.ReplaceLineEndings(" ") is var line && line.Length <= Widest ? line
        : line.StartsWith("no ", StringComparison.Ordinal) ? line[..(Widest - 1)] + "…"
        : "…" + line[^(Widest - 1)..];
}

using Engram.Cli.CommandLine;
using Engram.Studies.Quickstart;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>
/// Shows a quickstart at work on stderr: on a terminal a table with one line per arm, elsewhere a plain line now and then.
/// </summary>
internal static class QuickstartProgressView
{
    /// <summary>Runs the work and shows what it reports.</summary>
    public static QuickstartOutcome Show(Func<IProgress<QuickstartProgress>, QuickstartOutcome> work)
    {
        if (Console.IsErrorRedirected)
        {
            var (activity, changed) = ("", false);
            using var line = new ProgressLine<QuickstartProgress>(Describe, _ => changed);
            return work(line);

            string Describe(QuickstartProgress progress)
            {
                (activity, changed) = (progress.Activity, progress.Activity != activity);
                return Line(progress);
            }
        }
        QuickstartOutcome? outcome = null;
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        console.Live(new Text("")).AutoClear(true).Start(live => outcome = work(new Live(live)));
        return outcome!;
    }

    private static string Line(QuickstartProgress progress)
    {
        if (progress.Arms.Count == 0)
            return progress.Activity;
        var done = progress.Arms.Count(arm => arm.State is ArmState.Finished or ArmState.Reused);
        var running = progress
            .Arms.Where(arm => arm.State == ArmState.Running)
            .Select(arm => $"{Name(progress, arm)} {arm.Step}/{arm.Steps} loss {arm.Loss:0.000} {arm.TokensPerSecond:N0} tokens/s");
        return $"{progress.Activity}: {done} of {progress.Arms.Count} done{Left(progress)}: {string.Join("; ", running)}";
    }

    private static Table Draw(QuickstartProgress progress)
    {
        var table = new Table()
            .Title($"{progress.Activity}, {Clock(progress.Elapsed)}{Left(progress)}")
            .AddColumns("arm", "")
            .AddColumns(Number("updates"), Number("loss"), Number("validation"), Number("tokens/s"), Number("left"));
        foreach (var arm in progress.Arms)
            table.AddRow(
                Name(progress, arm),
                arm.State.ToString().ToLowerInvariant(),
                arm.State == ArmState.Waiting ? "" : $"{arm.Step}/{arm.Steps}",
                $"{arm.Loss:0.000}",
                $"{arm.ValidationLoss:0.000}",
                $"{arm.TokensPerSecond:N0}",
                arm.Remaining is { } left ? Clock(left) : ""
            );
        return table;
    }

    private static string Name(QuickstartProgress progress, ArmProgress arm) =>
        progress.Arms.Any(other => other.Seed != arm.Seed) ? $"{arm.Arm}, seed {arm.Seed}" : arm.Arm;

    private static string Left(QuickstartProgress progress) =>
        progress.Remaining is { } remaining ? $", about {Clock(remaining)} left" : "";

    private static string Clock(TimeSpan time) => $"{(int)time.TotalMinutes}:{time.Seconds:00}";

    private static TableColumn Number(string title) => new TableColumn(title).RightAligned();

    private sealed class Live(LiveDisplayContext display) : IProgress<QuickstartProgress>
    {
        public void Report(QuickstartProgress value) =>
            display.UpdateTarget(value.Arms.Count == 0 ? new Text(value.Activity) : Draw(value));
    }
}

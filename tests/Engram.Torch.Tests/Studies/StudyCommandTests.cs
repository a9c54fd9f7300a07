using System.Diagnostics;
using System.Runtime.InteropServices;
using Engram.Studies.Definitions;
using Engram.Studies.Planning;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Cli;

namespace Engram.Torch.Tests.Studies;

/// <summary>
/// The smallest study of the library by its command, as a user runs it: left alone, and killed and interrupted on the way.
/// </summary>
public sealed partial class StudyCommandTests : IDisposable
{
    private const string Size = "smoke";
    private const int Interrupt = 2;

    private readonly TemporaryFolder _folder = new();
    private readonly string _study = StudyLibrary
        .Named("all", Size)
        .MinBy(study => StudyPlan.Of(study, StudyLibrary.Size(Size)).Runs.Sum(StudyPlan.Seconds))!
        .Name;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task SmallestStudy_KilledAndInterrupted_EndsWithTheBytesOfOneLeftAlone()
    {
        (await Run("alone")).Ok();

        await Stop("stopped", process => process.Kill());
        await Stop("stopped", process => Assert.Equal(0, Signal(process.Id, Interrupt)));
        (await Run("stopped")).Ok();

        foreach (var runs in (string[])["alone", "stopped"])
            (await CliProcess.Run("study", "report", _study, "--size", Size, "--runs", _folder.File(runs))).Ok();
        foreach (var file in (string[])["measurements.jsonl", "report-smoke.md", "report-smoke.html"])
            Assert.Equal(File.ReadAllText(Result("alone", file)), File.ReadAllText(Result("stopped", file)));
        Assert.Contains("\"measure\":\"loss\"", File.ReadAllText(Result("alone", "measurements.jsonl")));

        var again = (await Run("stopped")).Ok();
        Assert.StartsWith("0 models trained and measured", again.Output);
    }

    private string Result(string runs, string file) => Path.Combine(_folder.File(runs), "results", _study, file);

    private string[] Command(string runs) => ["study", "run", _study, "--size", Size, "--runs", _folder.File(runs), "--processes", "1"];

    private Task<CliResult> Run(string runs) => CliProcess.Run(Command(runs));

    /// <summary>Ends a run in the middle: while a model is trained, or measured.</summary>
    private async Task Stop(string runs, Action<Process> end)
    {
        using var process = CliProcess.Start(Command(runs));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(5));
        var models = Path.Combine(_folder.File(runs), "models");
        while (
            !process.HasExited
            && !(Directory.Exists(models) && Directory.EnumerateFiles(models, "train.json", SearchOption.AllDirectories).Any())
        )
            await Task.Delay(20, limit.Token);
        if (!process.HasExited)
            end(process);
        var result = await CliProcess.Finish(process, limit.Token);
        Assert.True(result.ExitCode is 130 or 137, $"exit code {result.ExitCode}\n{result.Errors}");
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}

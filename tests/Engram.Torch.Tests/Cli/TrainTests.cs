using System.Diagnostics;
using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Cli;

[Collection(nameof(TrainedRun))]
public sealed class TrainTests(TrainedRun trained)
{
    [Fact]
    public void Result_IsTheFileOfTheRun()
    {
        Assert.Equal(6, trained.Result.GetProperty("steps").GetInt64());
        Assert.Equal(6 * 4 * 32, trained.Result.GetProperty("tokens").GetInt64());
        Assert.InRange(trained.Result.GetProperty("validation_loss").GetDouble(), 0.1, 7);
        Assert.Equal(trained.Model, trained.Result.GetProperty("model_folder").GetString());
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(trained.Result.GetRawText()), JsonNode.Parse(File.ReadAllText(Path.Combine(trained.Run, "result.json")))));
        Assert.Equal(2, File.ReadLines(Path.Combine(trained.Run, "metrics.jsonl")).Count(line => line.Contains("validation_loss")));
    }

    [Fact]
    public async Task ExistingRun_IsRefused_AndResumedWhenAsked()
    {
        var refused = await CliProcess.Run(trained.Train(trained.Run, "--steps", "6"));
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(trained.Run, refused.ErrorLine);
        Assert.Contains("--resume", refused.ErrorLine);

        var again = (await CliProcess.Run("train", "--data", trained.Data, "--run", trained.Run, "--resume", "--json")).Ok();
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(trained.Result.GetRawText()), JsonNode.Parse(again.Output)));

        var other = await CliProcess.Run("train", "--data", trained.Data, "--run", trained.Run, "--resume", "--steps", "7");
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("train.json", other.ErrorLine);
    }

    [Fact]
    public async Task Interruption_WritesACheckpoint_AndSaysHowToGoOn()
    {
        var run = trained["interrupted"];
        var (first, _) = await Interrupt(run, trained.Train(run, "--steps", "100000"));
        var (second, quiet) = await Interrupt(run, "train", "--data", trained.Data, "--run", run, "--threads", "1", "--resume");
        Assert.True(second > first, $"resumed at {first}, ended at {second}");
        Assert.DoesNotContain("last bits", quiet);
        var (third, told) = await Interrupt(run, "train", "--data", trained.Data, "--run", run, "--threads", "2", "--resume");
        Assert.True(third > second, $"resumed at {second}, ended at {third}");
        Assert.Contains("--threads 1 so far, and goes on with 2", told);

        var unfinished = await CliProcess.Run("generate", "--model", run, "--prompt", "The mare");
        Assert.Equal(1, unfinished.ExitCode);
        Assert.Contains("has not finished", unfinished.ErrorLine);
    }

    /// <summary>Two threads divide sums, and each gets its part; every other run of the tests has one.</summary>
    [Fact]
    public async Task Interruption_WithTwoThreads_ChangesNoBit()
    {
        var (whole, cut) = (trained["two-threads"], trained["two-threads-cut"]);
        (await CliProcess.Run(Arguments(whole))).Ok();
        await Interrupt(cut, Arguments(cut));
        Assert.False(File.Exists(Path.Combine(cut, "result.json")));
        (await CliProcess.Run("train", "--data", trained.Data, "--run", cut, "--threads", "2", "--resume")).Ok();
        TinyRun.AssertSameFiles(Path.Combine(whole, "model"), Path.Combine(cut, "model"));

        string[] Arguments(string run) =>
            ["train", "--preset", "tiny-engram", "--data", trained.Data, "--run", run, "--steps", "30", "--sequences", "4", "--length", "64", "--validation-sequences", "4", "--threads", "2"];
    }

    /// <summary>Tokens are rounded up to whole updates: 300 are three of 128.</summary>
    [Fact]
    public async Task Tokens_AndAConfigFile_TakeThePlaceOfStepsAndPreset()
    {
        var config = trained["dense.json"];
        Presets.Load("tiny-dense").Save(config);
        var result = (await CliProcess.Run(
            "train", "--config", config, "--data", trained.Data, "--run", trained["dense"], "--tokens", "300", "--sequences", "4", "--length", "32",
            "--validation-sequences", "4", "--threads", "1")).Ok();
        Assert.Contains("3 updates, 384 tokens", result.Output);
        Assert.Contains("step 3/3", result.Errors);
        var model = trained[Path.Combine("dense", "model")];
        Assert.Contains(model, result.Output);

        var inspected = await CliProcess.Run("inspect", "--model", model, "--text", "The mare");
        Assert.Equal(2, inspected.ExitCode);
        Assert.Contains("no memory", inspected.ErrorLine);
    }

    [Fact]
    public async Task RunThatCannotStart_LeavesTheFolderFree()
    {
        var run = trained["failed"];
        var tooLong = await CliProcess.Run("train", "--preset", "tiny-engram", "--data", trained.Data, "--run", run, "--steps", "2", "--length", "257");
        Assert.Equal(2, tooLong.ExitCode);
        Assert.Contains("257", tooLong.ErrorLine);
        (await CliProcess.Run(trained.Train(run, "--steps", "1"))).Ok();
    }

    [Theory]
    [InlineData("--preset or --config", "--steps", "1")]
    [InlineData("--steps or --tokens", "--preset", "tiny")]
    [InlineData("not both", "--preset", "tiny", "--steps", "1", "--tokens", "1")]
    [InlineData("'tinny'", "--preset", "tinny", "--steps", "1")]
    [InlineData("--threads", "--preset", "tiny", "--steps", "1", "--threads", "0")]
    [InlineData("Steps is 0", "--preset", "tiny", "--steps", "0")]
    [InlineData("Device 'tpu'", "--preset", "tiny-engram", "--steps", "1", "--device", "tpu")]
    [InlineData("holds no run", "--resume")]
    public async Task WrongUsage_IsOneLine_AndWritesNothing(string named, params string[] arguments)
    {
        var run = trained["wrong"];
        var result = await CliProcess.Run(["train", "--data", trained.Data, "--run", run, .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
        Assert.False(Directory.Exists(run));
    }

    /// <summary>Runs until two more updates are logged, presses Ctrl-C, and returns the update of the checkpoint and what stderr had.</summary>
    private static async Task<(long Step, string Errors)> Interrupt(string run, params string[] arguments)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        using var process = CliProcess.Start(arguments);
        var metrics = Path.Combine(run, "metrics.jsonl");
        var before = File.Exists(metrics) ? File.ReadLines(metrics).Count() : 0;
        while (!File.Exists(metrics) || File.ReadLines(metrics).Count() < before + 2)
        {
            Assert.False(process.HasExited);
            await Task.Delay(20, limit.Token);
        }
        using (var kill = Process.Start("kill", ["-INT", $"{process.Id}"])) await kill.WaitForExitAsync(limit.Token);
        var result = await CliProcess.Finish(process, limit.Token);
        Assert.Equal(130, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.Contains($"engram train --data", result.Errors);
        Assert.EndsWith("--resume\n", result.Errors);
        return (Directory.GetDirectories(Path.Combine(run, "checkpoints")).Max(folder => long.Parse(Path.GetFileName(folder))), result.Errors);
    }
}

using System.Diagnostics;
using Engram.Models.Configuration;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Cli;

public sealed class PlanTests
{
    /// <summary>Table 5 of the paper: 26.7 billion parameters, 3.8 billion active, three quarters of the sparse budget in experts.</summary>
    [Fact]
    public async Task Engram27B_HasTheCountsOfThePaper()
    {
        var plan = (await CliProcess.Run("plan", "engram-27b", "--json")).Ok().Json;
        Assert.Equal(26_725_659_860, plan.GetProperty("total_parameters").GetInt64());
        Assert.Equal(3_839_568_980, plan.GetProperty("active_parameters").GetInt64());
        Assert.Equal(0.7435, Math.Round(plan.GetProperty("allocation_ratio").GetDouble(), 4));
    }

    [Fact]
    public async Task Text_ShowsTheSameNumbers()
    {
        var text = (await CliProcess.Run("plan", "engram-27b")).Ok().Output;
        Assert.Contains("26,725,659,860", text);
        Assert.Contains("3,839,568,980", text);
        Assert.Contains("0.7435", text);
        Assert.Contains("memory tables", text);
    }

    [Fact]
    public async Task ConfigFile_AndModelFolder_GiveThePlanOfThePreset()
    {
        using var folder = new TemporaryFolder();
        Presets.Load("tiny-engram").Save(folder.File("config.json"));
        var ofPreset = (await CliProcess.Run("plan", "tiny-engram", "--json", "--context", "64")).Ok().Output;
        Assert.Equal(ofPreset, (await CliProcess.Run("plan", folder.File("config.json"), "--json", "--context", "64")).Ok().Output);
        Assert.Equal(ofPreset, (await CliProcess.Run("plan", Path.GetDirectoryName(folder.File("config.json"))!, "--json", "--context", "64")).Ok().Output);
    }

    [Fact]
    public async Task UnknownPreset_ListsThoseThereAre()
    {
        var result = await CliProcess.Run("plan", "engram-28b");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("'engram-28b'", result.ErrorLine);
        Assert.All(Presets.Names, name => Assert.Contains(name, result.ErrorLine));
    }

    [Theory]
    [InlineData(1, "nowhere/config.json", "nowhere/config.json")]
    [InlineData(1, "other.json", "other.json")]
    [InlineData(2, "-1", "tiny", "--context", "-1")]
    [InlineData(2, "'many'", "tiny", "--context", "many")]
    public async Task WrongValue_IsNamedInOneLine(int exitCode, string named, params string[] arguments)
    {
        var result = await CliProcess.Run(["plan", .. arguments]);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
    }

    /// <summary>libtorch takes half a second and two hundred megabytes to load; commands that need none do not wait for it.</summary>
    [Fact]
    public async Task Plan_DoesNotLoadLibTorch()
    {
        // The dynamic linker reports every library it opens.
        var start = new ProcessStartInfo(CliProcess.Program, ["plan", "tiny-engram"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LD_DEBUG"] = "files";
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var result = (await CliProcess.Finish(process, limit.Token)).Ok();
        Assert.Contains("libcoreclr.so", result.Errors);
        Assert.DoesNotContain("libtorch", result.Errors);
    }
}

using System.Diagnostics;
using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Cli;

public sealed class PlanTests
{
    /// <summary>
    /// Table 5 of the paper: 26.7 billion parameters, 3.8 billion active, three quarters of the sparse budget in experts.
    /// </summary>
    [Fact]
    public async Task Engram27B_HasTheCountsOfThePaper()
    {
        var plan = (await CliProcess.Run("plan", "engram-27b", "--json")).Ok().Json;
        Assert.Equal(26_725_659_860, plan.GetProperty("total_parameters").GetInt64());
        Assert.Equal(3_839_568_980, plan.GetProperty("active_parameters").GetInt64());
        Assert.Equal(0.7435, Math.Round(plan.GetProperty("allocation_ratio").GetDouble(), 4));
        var recipe = plan.GetProperty("recipe");
        Assert.Contains("2601.07372", recipe.GetProperty("source").GetString());
        Assert.Equal(
            (50_000, 4e-4, "steps", "muon"),
            (
                recipe.GetProperty("recipe").GetProperty("steps").GetInt64(),
                recipe.GetProperty("recipe").GetProperty("learning_rate").GetDouble(),
                recipe.GetProperty("recipe").GetProperty("decay").GetString(),
                recipe.GetProperty("recipe").GetProperty("matrix_optimizer").GetString()
            )
        );
    }

    [Fact]
    public async Task Text_ShowsTheSameNumbers()
    {
        var text = (await CliProcess.Run("plan", "engram-27b")).Ok().Output;
        Assert.Contains("26,725,659,860", text);
        Assert.Contains("3,839,568,980", text);
        Assert.Contains("0.7435", text);
        Assert.Contains("memory tables", text);
        foreach (
            var shown in (string[])
                [
                    "50,000 of 5,242,880 tokens, 262,144,000,000 in all",
                    "1,280 sequences of 4,096 tokens",
                    "0.0004, 2,000 updates of warm-up",
                    "Adam at 5 times the rate",
                    "N(0, 0.006²)",
                    "momentum 0.95 with Nesterov, 5 rounds of Newton–Schulz",
                    "β 0.9 and 0.95, ε 1E-20",
                ]
        )
            Assert.Contains(shown, text);
    }

    [Fact]
    public async Task ConfigFile_AndModelFolder_GiveThePlanOfThePreset()
    {
        using var folder = new TemporaryFolder();
        Presets.Load("tiny-engram").Save(folder.File("config.json"));
        var preset = JsonNode.Parse((await CliProcess.Run("plan", "tiny-engram", "--json", "--context", "64")).Ok().Output)!;
        Assert.NotNull(preset["recipe"]);
        preset["recipe"] = null; // belongs to the preset
        var ofPreset = preset.ToJsonString();
        foreach (var model in (string[])[folder.File("config.json"), Path.GetDirectoryName(folder.File("config.json"))!])
            Assert.Equal(
                ofPreset,
                JsonNode.Parse((await CliProcess.Run("plan", model, "--json", "--context", "64")).Ok().Output)!.ToJsonString()
            );
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

    [Fact]
    public async Task Set_ChangesKeys_AndWrite_LeavesAConfigurationThatLoads()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("config.json");
        var written = (
            await CliProcess.Run(
                "plan",
                "tiny-engram",
                "--set",
                "num_hidden_layers=3",
                "--set",
                "engram_gate=copysign_sqrt",
                "--set",
                "engram_slots_per_order=[64,96]",
                "--write",
                file
            )
        ).Ok();
        Assert.Contains($"engram train --config {file}", written.Errors);
        var model = ModelConfiguration.Load(file);
        var preset = Presets.Load("tiny-engram");
        var asCode = preset with
        {
            NumHiddenLayers = 3,
            Engram = preset.Engram! with { Gate = EngramGate.CopySignSqrt, SlotsPerOrder = [64, 96] },
        };
        Assert.Equal(asCode.ToJson(), model.ToJson());
        var again = await CliProcess.Run("plan", "tiny-engram", "--write", file);
        Assert.Equal((1, true), (again.ExitCode, again.ErrorLine.Contains("is there already", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("hidden_sise=8", "unknown key 'hidden_sise'")]
    [InlineData("hidden_size=wide", "hidden_size is \"wide\"; it must be a whole number")]
    [InlineData("hidden_size", "write KEY=VALUE")]
    [InlineData("num_hidden_layers=1", "engram_layer_ids")]
    public async Task Set_RefusesWhatIsNoConfiguration(string change, string named)
    {
        var result = await CliProcess.Run("plan", "tiny-engram", "--set", change);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(named, result.ErrorLine);
    }

    /// <summary>libtorch takes half a second and two hundred megabytes to load; commands that need none do not wait for it.</summary>
    [Fact]
    public async Task Plan_DoesNotLoadLibTorch()
    {
        // The dynamic linker reports every library it opens.
        var start = new ProcessStartInfo(CliProcess.Program, ["plan", "tiny-engram"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LD_DEBUG"] = "files";
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var result = (await CliProcess.Finish(process, limit.Token)).Ok();
        Assert.Contains("libcoreclr.so", result.Errors);
        Assert.DoesNotContain("libtorch", result.Errors);
    }
}

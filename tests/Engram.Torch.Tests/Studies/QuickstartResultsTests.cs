using System.Text.Json;
using Engram.Studies.Quickstart;
using Engram.Tests.Storage;

namespace Engram.Torch.Tests.Studies;

public sealed class QuickstartResultsTests
{
    [Fact]
    public void Json_HasTheNamesThatReadersRelyOn()
    {
        var json = JsonDocument.Parse(QuickstartExample.OneSeed.ToJson()).RootElement;

        Assert.Equal(4.25, json.GetProperty("memory_off_loss").GetDouble());
        Assert.Equal(4.5, json.GetProperty("shuffled_rows_loss").GetDouble());
        Assert.Equal(321, json.GetProperty("seconds").GetDouble());
        var arms = json.GetProperty("arms").EnumerateArray().ToList();
        Assert.Equal(["dense", "moe", "moe-few", "engram", "engram-one-row"], arms.Select(arm => arm.GetProperty("name").GetString()));
        var engram = arms[3];
        Assert.Equal(500_000, engram.GetProperty("total_parameters").GetInt64());
        Assert.Equal(70_000, engram.GetProperty("active_parameters").GetInt64());
        Assert.Equal(120_000, engram.GetProperty("memory_parameters").GetInt64());
        Assert.Equal(2.75, engram.GetProperty("validation_loss").GetDouble());
        Assert.Equal(1.375, engram.GetProperty("bits_per_byte").GetDouble());
        Assert.Equal(10_003, engram.GetProperty("tokens_per_second").GetDouble());
        Assert.Equal("runs/seed-1/engram/model", engram.GetProperty("model").GetString());
    }

    [Fact]
    public void Json_OfSeveralSeeds_HasSpreadAndPairedDifferences()
    {
        var results = QuickstartExample.Results(
            QuickstartExample.Seed(1, 3.5, 3, 3.25, 2.75, 3),
            QuickstartExample.Seed(2, 3.5, 3.25, 3.5, 2.75, 3),
            QuickstartExample.Seed(3, 3.5, 3.5, 3.75, 2.75, 3)
        );

        var json = JsonDocument.Parse(results.ToJson()).RootElement;

        Assert.Equal([1, 2, 3], json.GetProperty("seeds").EnumerateArray().Select(seed => seed.GetProperty("seed").GetInt64()));
        var moe = json.GetProperty("statistics")
            .EnumerateArray()
            .Single(arm => arm.GetProperty("name").GetString() == "moe")
            .GetProperty("validation_loss");
        Assert.Equal(
            (3.25, 3, 3.5, 0.25),
            (Number(moe, "mean"), Number(moe, "min"), Number(moe, "max"), Number(moe, "standard_deviation"))
        );
        foreach (var (baseline, expected) in new[] { ("moe", new[] { -0.25, -0.5, -0.75 }), ("moe-few", [-0.5, -0.75, -1]) })
        {
            var pair = json.GetProperty("differences")
                .EnumerateArray()
                .Single(pair => pair.GetProperty("arm").GetString() == "engram" && pair.GetProperty("baseline").GetString() == baseline);
            Assert.Equal(expected, pair.GetProperty("per_seed").EnumerateArray().Select(value => value.GetDouble()));
            Assert.Equal((expected[1], 0.25), (Number(pair, "mean"), Number(pair, "standard_deviation")));
        }
        // The top is the first seed, whose model folders are named there.
        Assert.Equal(3, json.GetProperty("arms")[1].GetProperty("validation_loss").GetDouble());

        static double Number(JsonElement element, string name) => element.GetProperty(name).GetDouble();
    }

    [Fact]
    public void Read_GivesBackWhatWasWritten()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");

        QuickstartExample.OneSeed.Write(path);

        Assert.Equal(QuickstartExample.OneSeed.ToJson(), QuickstartResults.Read(path)!.ToJson());
    }

    [Fact]
    public void Read_WithoutAFile_IsNothing() => Assert.Null(QuickstartResults.Read("nowhere/results.json"));

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"arms\":[]}")]
    public void Read_DamagedFile_NamesItAndTheRemedy(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("results.json"), text);

        var error = Assert.Throws<InvalidDataException>(() => QuickstartResults.Read(folder.File("results.json")));

        Assert.Contains(folder.File("results.json"), error.Message);
        Assert.Contains("Delete the file", error.Message);
    }
}

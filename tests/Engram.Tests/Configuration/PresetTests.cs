using Engram.Models.Configuration;
using Engram.Tests.Package;

namespace Engram.Tests.Configuration;

public sealed class PresetTests
{
    [Fact]
    public void Names_AreTheFilesOfTheSource()
    {
        string[] files =
        [
            .. Directory
                .GetFiles(Path.Combine(Repository.Root, "src", "Engram.Models", "presets"), "*.json")
                .Select(file => Path.GetFileNameWithoutExtension(file)!),
        ];
        Assert.Equal(files.Order(StringComparer.Ordinal), Presets.Names);
        Assert.Contains("engram-27b", Presets.Names);
    }

    [Fact]
    public void EveryPreset_IsValidAndSurvivesItsOwnFile()
    {
        foreach (string name in Presets.Names)
        {
            ModelConfiguration model = Presets.Load(name);
            ModelConfiguration again = ModelConfiguration.Parse(System.Text.Encoding.UTF8.GetBytes(model.ToJson()), name);
            Assert.Equal(model, again);
            Assert.Equal(model.ToJson(), again.ToJson());
        }
    }

    [Fact]
    public void UnknownName_IsRefusedWithTheNames()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Presets.Load("engram-28b"));
        Assert.Contains("engram-28b", error.Message);
        Assert.All(Presets.Names, name => Assert.Contains(name, error.Message));
    }

    [Fact]
    public void PaperMemoryModels_FollowTheShapeTable()
    {
        ModelConfiguration model = Presets.Load("engram-27b");
        EngramConfiguration memory = model.Engram!;
        Assert.Equal([1, 14], memory.LayerIds);
        Assert.Equal(
            (1280, 16, 3, 98_627),
            (memory.MemoryWidth, memory.RowsPerToken, memory.ConvDilation, memory.CompressedVocabularySize)
        );
        Assert.Equal(model with { Engram = memory with { SlotsPerOrder = [7_239_680, 7_239_680] } }, Presets.Load("engram-40b"));
        Assert.Equal(model with { Engram = null, NRoutedExperts = 72 }, Presets.Load("moe-27b"));
    }

    [Fact]
    public void QuickstartArms_TouchTheSameNumberOfParameters()
    {
        string[] arms = ["quickstart-dense", "quickstart-moe", "quickstart-moe-few", "quickstart-engram", "quickstart-engram-one-row"];
        AssertPaired(arms, "quickstart-moe", ["quickstart-engram", "quickstart-engram-one-row"]);
        Assert.Equal(0.5, ModelPlan.Of(Presets.Load("quickstart-engram")).AllocationRatio!.Value, 2);
    }

    [Fact]
    public void SmallArms_TouchTheSameNumberOfParametersAndAreLargeEnoughToTime()
    {
        AssertPaired(["small-dense", "small-moe", "small-engram"], "small-moe", ["small-engram"]);
        Assert.True(ModelPlan.Of(Presets.Load("small-engram")).ActiveParameters > 2_000_000);
        Assert.Equal(0.71, ModelPlan.Of(Presets.Load("small-engram")).AllocationRatio!.Value, 2);
    }

    [Fact]
    public void SmallMemoryModels_ReadTheDictionaryOfATokenizerThatIsNotKnownYet() =>
        Assert.All(
            ["quickstart-engram", "quickstart-engram-one-row", "small-engram"],
            name => Assert.Equal(0, Presets.Load(name).Engram!.CompressedVocabularySize)
        );

    private static void AssertPaired(string[] arms, string reference, string[] memory)
    {
        ModelPlan baseline = ModelPlan.Of(Presets.Load(reference));
        foreach (string arm in arms)
        {
            double ratio = (double)ModelPlan.Of(Presets.Load(arm)).ActiveParameters / baseline.ActiveParameters;
            Assert.InRange(ratio, 0.99, memory.Contains(arm) ? 1.0 : 1.01);
        }
        double total = (double)ModelPlan.Of(Presets.Load(memory[0])).TotalParameters / baseline.TotalParameters;
        Assert.InRange(total, 0.997, 1.003);
    }
}

using System.Text.Json.Nodes;
using Engram.Models.Configuration;
using Engram.Models.Recipes;
using Engram.Tables.Training;
using Engram.Tests.Package;

namespace Engram.Tests.Configuration;

public sealed class PresetRecipeTests
{
    /// <summary>The Engram paper's table 5; warm-up and the places of the steps from its sibling.</summary>
    [Theory]
    [InlineData("dense-4b")]
    [InlineData("moe-27b")]
    [InlineData("engram-27b")]
    [InlineData("engram-40b")]
    public void PaperModels_HaveThePublishedRecipe(string preset)
    {
        TrainingRecipe recipe = PresetRecipe.Of(preset).Recipe;
        Assert.Equal((50_000, 1280, 4096), (recipe.Steps, recipe.Sequences * recipe.AccumulationSteps, recipe.Length));
        Assert.Equal(262_144_000_000, recipe.Steps * recipe.TokensPerStep);
        Assert.Equal((4e-4, 2000L, 2000L, LearningRateDecay.Steps), (recipe.LearningRate, recipe.WarmupSteps, recipe.WarmUp, recipe.Decay));
        Assert.Equal((MatrixOptimizer.Muon, 0.1, 1.0), (recipe.MatrixOptimizer, recipe.WeightDecay, recipe.ClipNorm));
        Assert.Equal(
            (5.0, TableOptimizer.Adam, MomentFormat.Float32),
            (recipe.TableLearningRateMultiplier, recipe.TableOptimizer, recipe.TableMoments)
        );
        ModelConfiguration model = Presets.Load(preset);
        Assert.Equal(0.006, model.InitializerRange);
        if (model.Engram is { } memory)
            Assert.Equal(0, memory.TableInitStd);
    }

    [Theory]
    [InlineData("mhc-3b", 30_000, 320, 8.6e-4)]
    [InlineData("mhc-9b", 50_000, 512, 5.9e-4)]
    public void SiblingModels_HaveThePublishedRecipe(string preset, long steps, int sequences, double rate)
    {
        TrainingRecipe recipe = PresetRecipe.Of(preset).Recipe;
        Assert.Equal(
            (steps, sequences, 4096, rate),
            (recipe.Steps, recipe.Sequences * recipe.AccumulationSteps, recipe.Length, recipe.LearningRate)
        );
        Assert.Equal(
            (2000L, LearningRateDecay.Steps, MatrixOptimizer.AdamW, 0.1),
            (recipe.WarmUp, recipe.Decay, recipe.MatrixOptimizer, recipe.WeightDecay)
        );
    }

    [Fact]
    public void EveryPreset_HasOneRecipe_WhoseSequencesFitItsContext()
    {
        Assert.Equal(Presets.Names, PresetRecipe.All.SelectMany(recipe => recipe.Presets).Order(StringComparer.Ordinal));
        Assert.All(Presets.Names, name => Assert.InRange(PresetRecipe.Of(name).Recipe.Length, 1, Presets.Load(name).MaxPositionEmbeddings));
        Assert.All(PresetRecipe.All, recipe => Assert.NotEmpty(recipe.Source));
        Assert.Contains("engram-27b", Assert.Throws<ArgumentException>(() => PresetRecipe.Of("engram-28b")).Message);
    }

    /// <summary>A value that a file leaves out would be zero, not the default.</summary>
    [Fact]
    public void EveryFile_StatesEveryValue()
    {
        string[] keys =
        [
            .. JsonNode.Parse(PresetRecipe.Of("tiny").ToJson())!["recipe"]!
                .AsObject()
                .Select(pair => pair.Key)
                .Order(StringComparer.Ordinal),
        ];
        Assert.Equal(13, keys.Length);
        var files = Directory.GetFiles(Path.Combine(Repository.Root, "src", "Engram.Models", "Recipes"), "*.json");
        Assert.Equal(PresetRecipe.All.Count, files.Length);
        Assert.All(
            files,
            file =>
                Assert.Equal(
                    keys,
                    JsonNode.Parse(File.ReadAllText(file))!["recipe"]!.AsObject().Select(pair => pair.Key).Order(StringComparer.Ordinal)
                )
        );
    }

    [Fact]
    public void TinyAndSmallModels_HaveTheDefaults() =>
        Assert.All(
            ["tiny-engram", "small-engram"],
            name => Assert.Equal(new TrainingRecipe { Steps = PresetRecipe.Of(name).Recipe.Steps }, PresetRecipe.Of(name).Recipe)
        );

    [Fact]
    public void WarmUp_IsFivePercentUnlessSaid()
    {
        TrainingRecipe recipe = new() { Steps = 1000 };
        Assert.Equal(
            (50, 1, 2000, 7),
            (
                recipe.WarmUp,
                (recipe with { Steps = 3 }).WarmUp,
                (recipe with { Steps = 1_000_000 }).WarmUp,
                (recipe with { WarmupSteps = 7 }).WarmUp
            )
        );
    }

    [Fact]
    public void WrongOption_CanBeNamedAsItsUserKnowsIt()
    {
        var error = Assert.Throws<TrainingOptionException>(() => (new TrainingRecipe { Steps = 1, ClipNorm = 0 }).Validated());
        Assert.Equal(("ClipNorm", "ClipNorm is 0; it must be finite and above 0."), (error.Option, error.Message));
        Assert.Equal("--clip is 0; it must be finite and above 0.", error.MessageFor("--clip"));
    }
}

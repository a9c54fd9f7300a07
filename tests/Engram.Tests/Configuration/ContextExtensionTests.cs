using Engram.Models.Configuration;

namespace Engram.Tests.Configuration;

/// <summary>What becomes of a configuration when its context is extended.</summary>
public class ContextExtensionTests
{
    private static ModelConfiguration Paper { get; } = Presets.Load("engram-27b");

    /// <summary>
    /// Paper §6.1: 4,096 tokens to 32,768 with s = 10, α = 1, β = 32, f = 0.707; the numbers of the blended pairs are those of the
    /// specification.
    /// </summary>
    [Fact]
    public void Defaults_are_the_papers()
    {
        var extended = ContextExtension.Extend(Paper, 32768);
        Assert.Equal(
            new RopeScaling
            {
                Factor = 10,
                OriginalMaxPositionEmbeddings = 4096,
                BetaFast = 32,
                BetaSlow = 1,
                Mscale = 0.707,
                MscaleAllDim = 0.707,
            },
            extended.RopeScaling
        );
        Assert.Equal(Paper with { MaxPositionEmbeddings = 32768, RopeScaling = extended.RopeScaling }, extended);
        Assert.Equal(1.35208701684, RotaryFrequencies.ScoreScale(extended), 1e-10);
        Assert.Equal(0.03925021301, RotaryFrequencies.Of(extended)[11], 1e-10);
        Assert.Equal(0.0003009395925, RotaryFrequencies.Of(extended)[22], 1e-12);
        Assert.Equal(
            extended.ToJson(),
            ModelConfiguration.Parse(System.Text.Encoding.UTF8.GetBytes(extended.ToJson()), "config.json").ToJson()
        );
    }

    /// <summary>DeepSeek-V3: s = 40 and √t = 0.1 ln s + 1, to 32K and then to 128K from the same original context.</summary>
    [Fact]
    public void V3_extends_twice_under_one_factor()
    {
        var first = ContextExtension.Extend(Paper, 32768, factor: 40, mscale: 1);
        var second = ContextExtension.Extend(first, 131072);
        Assert.Equal(first with { MaxPositionEmbeddings = 131072 }, second);
        Assert.Equal(
            (4096, 40.0, 1.0),
            (second.RopeScaling!.OriginalMaxPositionEmbeddings, second.RopeScaling.Factor, second.RopeScaling.Mscale)
        );
        Assert.Equal(1.87385420709, RotaryFrequencies.ScoreScale(second), 1e-10);
    }

    /// <summary>A model may state a longer context than it was trained on.</summary>
    [Fact]
    public void The_original_context_may_be_shorter_than_the_stated_one()
    {
        var extended = ContextExtension.Extend(Paper, 4096, original: 512);
        Assert.Equal((4096, 512), (extended.MaxPositionEmbeddings, extended.RopeScaling!.OriginalMaxPositionEmbeddings));
        Assert.NotEqual(RotaryFrequencies.Of(Paper), RotaryFrequencies.Of(extended));
    }

    [Theory]
    [InlineData(4096, null, null, "does not exceed the original one of 4096")]
    [InlineData(65536, null, null, "a factor of at least 16")]
    [InlineData(8192, null, 1.5, "takes the original context of 4096 tokens to 6144")]
    [InlineData(8192, null, double.NaN, "rope_scaling.factor")]
    public void What_cannot_be_is_refused(int context, int? original, double? factor, string reason) =>
        Assert.Contains(
            reason,
            Assert.ThrowsAny<ArgumentException>(() => ContextExtension.Extend(Paper, context, original, factor)).Message
        );
}

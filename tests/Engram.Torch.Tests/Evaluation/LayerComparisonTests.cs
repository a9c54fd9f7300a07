using Engram.Evaluation.Layers;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Evaluation;

public class LayerComparisonTests
{
    private static readonly MarkedText[] Texts =
    [
        .. Enumerable
            .Range(0, 12)
            .Select(i =>
                MarkedText.Words($"Number {i} of the {i * i} texts says that Edmund Payne was {i + 20} years old, and no more than that.")
            ),
    ];

    [Fact]
    public void A_model_is_like_itself()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        var read = new ReadModel(model, model.Memory);
        var same = LayerComparison.Compare(read, read, SampledTokens.Of(model, Texts).Select(text => (text, text)), minibatch: 50);
        var layers = model.Configuration.NumHiddenLayers;
        Assert.Equal(Texts.Sum(text => text.Ends.Count), same.Samples);
        for (var i = 0; i < layers; i++)
        for (var j = 0; j < layers; j++)
        {
            Assert.Equal(same.Similarity[i, j], same.Similarity[j, i], 1e-9);
            if (i == j)
                Assert.Equal(1, same.Similarity[i, i], 1e-9);
            else
                Assert.InRange(same.Similarity[i, j], -0.5, 0.9999);
        }

        Assert.Equal(SoftAlignment.Of(same.Similarity), same.Aligned);
    }

    [Fact]
    public void Models_of_other_depth_are_compared_at_the_places_that_both_read()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        using var other = RandomModel.Create(
            TinyRun.Configuration with
            {
                NumHiddenLayers = 3,
                HcMult = 1,
                MaxPositionEmbeddings = 12,
                Engram = null,
            }
        );
        var seen = LayerComparison.Compare(
            new ReadModel(model, model.Memory),
            new ReadModel(other, null),
            SampledTokens.Of(model, Texts).Zip(SampledTokens.Of(other, Texts)),
            minibatch: 20
        );
        Assert.Equal((model.Configuration.NumHiddenLayers, 3), (seen.Similarity.GetLength(0), seen.Similarity.GetLength(1)));
        Assert.Equal(SampledTokens.Of(other, Texts).Sum(text => text.Positions.Length), seen.Samples);
        Assert.True(seen.Samples < Texts.Sum(text => text.Ends.Count));
    }

    [Fact]
    public void Too_few_places_are_an_error()
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { Engram = null });
        var read = new ReadModel(model, null);
        Assert.Contains(
            "fewer than 4",
            Assert
                .Throws<ArgumentException>(() =>
                    LayerComparison.Compare(read, read, SampledTokens.Of(model, [MarkedText.Words("a b")]).Select(text => (text, text)))
                )
                .Message
        );
    }
}

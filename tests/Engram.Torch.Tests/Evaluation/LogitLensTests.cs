using Engram.Evaluation.Layers;
using Engram.Models.Configuration;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Evaluation;

public class LogitLensTests
{
    /// <summary>
    /// p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2): KL(p ‖ q) = ½·ln 2 − ¼·ln 2 = ¼·ln 2, and the reverse the same; the most likely tokens
    /// differ.
    /// </summary>
    [Fact]
    public void Three_tokens_computed_by_hand()
    {
        using var scope = NewDisposeScope();
        var (p, q) = (tensor(new[] { Math.Log(2), 0, 0 }).view(1, 3), tensor(new[] { 0, 0, Math.Log(2) }).view(1, 3));
        var (forward, reverse, agreeing) = LogitLens.Compare(p, q);
        Assert.Equal(Math.Log(2) / 4, forward, 1e-6);
        Assert.Equal(Math.Log(2) / 4, reverse, 1e-6);
        Assert.Equal(0, agreeing);

        // p = (1/2, 1/4, 1/4) and r = (2/3, 1/6, 1/6): ½·ln(3/4) + ½·ln(3/2), and ⅔·ln(4/3) + ⅓·ln(2/3).
        var r = tensor(new[] { Math.Log(4), 0, 0 }).view(1, 3);
        (forward, reverse, agreeing) = LogitLens.Compare(p, r);
        Assert.Equal((Math.Log(0.75) + Math.Log(1.5)) / 2, forward, 1e-6);
        Assert.Equal((2 * Math.Log(4.0 / 3) / 3) + (Math.Log(2.0 / 3) / 3), reverse, 1e-6);
        Assert.Equal(1, agreeing);
    }

    [Fact]
    public void A_constant_added_to_logits_changes_nothing_and_divergences_are_no_less_than_zero()
    {
        using var scope = NewDisposeScope();
        var (p, q) = (
            randn([50, 9], ScalarType.Float64, generator: new Generator(1, CPU)),
            randn([50, 9], ScalarType.Float64, generator: new Generator(2, CPU))
        );
        var plain = LogitLens.Compare(p, q);
        var moved = LogitLens.Compare(p + 3, q - 5);
        Assert.Equal(plain.Forward, moved.Forward, 1e-4); // float32 sums of fifty
        Assert.Equal(plain.Reverse, moved.Reverse, 1e-4);
        Assert.Equal(plain.Agreeing, moved.Agreeing);
        for (var i = 0; i < 50; i++)
        {
            var (forward, reverse, _) = LogitLens.Compare(p[i].unsqueeze(0), q[i].unsqueeze(0));
            Assert.True(forward > 0 && reverse > 0);
        }
    }

    [Theory, InlineData(StreamExit.Mean), InlineData(StreamExit.Head)]
    public void The_last_layer_is_the_model_and_others_are_not(StreamExit exit)
    {
        using var model = RandomModel.Create(TinyRun.Configuration with { HcExit = exit });
        var texts = SampledTokens
            .Of(model, [MarkedText.Words("It starred Hicks's wife, Ellaline Terriss and Edmund Payne."), MarkedText.Words("So it was.")])
            .ToList();
        var seen = LogitLens.Measure(model, model.Memory, texts);
        Assert.Equal(texts.Sum(text => text.Ids.Length), seen.Positions);
        Assert.Equal(model.Configuration.NumHiddenLayers, seen.Layers.Count);
        var last = seen.Layers[^1];
        Assert.Equal((0.0, 0.0, 1.0), (last.FinalToLayer, last.LayerToFinal, last.Top1Agreement));
        Assert.All(
            seen.Layers.SkipLast(1),
            layer => Assert.True(layer is { FinalToLayer: > 1e-3, LayerToFinal: > 1e-3, Top1Agreement: < 1 })
        );
        Assert.Equal(exit == StreamExit.Head, seen.MergedByMean is not null);
        if (seen.MergedByMean is { } mean)
            Assert.True(mean[^1].FinalToLayer > 1e-4);
        Assert.NotEqual(seen.Layers[1].FinalToLayer, LogitLens.Measure(model, null, texts).Layers[1].FinalToLayer);
        Assert.Equal(texts.Sum(text => text.Positions.Length), LogitLens.Measure(model, model.Memory, texts, markedOnly: true).Positions);
    }

    [Fact]
    public void Nothing_to_look_at_is_an_error()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        Assert.Throws<ArgumentException>(() => LogitLens.Measure(model, model.Memory, []));
    }
}

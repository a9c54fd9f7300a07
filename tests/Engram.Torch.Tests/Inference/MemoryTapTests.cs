using Engram.Inference.Taps;

namespace Engram.Torch.Tests.Inference;

/// <summary>
/// A tap sees what a call's tokens did, and changes nothing. Its values are compared with libtorch's by the inspection's tests.
/// </summary>
public sealed class MemoryTapTests : IDisposable
{
    private readonly InferenceModels _models = new(InferenceModels.Configurations["tiny-engram"]);

    public void Dispose() => _models.Dispose();

    [Fact]
    public void A_tapped_call_has_the_same_bits_and_shows_its_own_tokens()
    {
        var (model, ids) = (_models.Managed, _models.Ids(100, seed: 1));
        var (whole, sequence, logits) = (new MemoryTap(), model.NewSequence(), new float[100 * _models.Vocabulary]);
        Assert.Empty(whole.Layers);
        model.Read(sequence, ids, logits, whole);
        Assert.Equal(_models.Whole(ids), logits);
        Assert.Equal(model.Memory!.LayerIds, whole.Layers.Select(layer => layer.Layer));
        Assert.All(whole.Layers, layer => Assert.Equal((400, 3200), (layer.Gate.Length, layer.Memory.Length)));
        Assert.All(whole.Layers, layer => Assert.Equal((25_600, 25_600), (layer.HiddenIn.Length, layer.Output.Length)));

        var part = new MemoryTap();
        sequence.Truncate(90);
        model.Read(sequence, ids.AsSpan(90, 7), [], part);
        foreach (var (layer, seen) in whole.Layers.Zip(part.Layers))
        {
            Assert.Equal(layer.Gate[360..388], seen.Gate);
            Assert.Equal(layer.Memory[(90 * 32)..(97 * 32)], seen.Memory);
            Assert.Equal(layer.Output[(90 * 256)..(97 * 256)], seen.Output);
            Assert.Equal(layer.HiddenIn[(90 * 256)..(97 * 256)], seen.HiddenIn);
        }
    }

    [Fact]
    public void Without_memory_and_after_a_failure_there_is_nothing_to_see()
    {
        var (model, ids, tap) = (_models.Managed, _models.Ids(10, seed: 2), new MemoryTap());
        model.Read(model.NewSequence(memory: null), ids, [], tap);
        Assert.Empty(tap.Layers);
        model.Read(model.NewSequence(), ids, [], tap);
        Assert.NotEmpty(tap.Layers);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => model.Read(model.NewSequence(), ids, [], tap, cancelled.Token));
        Assert.Empty(tap.Layers);
    }

    [Fact]
    public void A_closed_stream_gets_nothing_of_the_memory()
    {
        var (model, ids) = (_models.Managed, _models.Ids(20, seed: 3));
        var (open, closed) = (new MemoryTap(), new MemoryTap());
        var sequence = model.NewSequence();
        model.Read(sequence, ids, [], open);
        sequence.Truncate(0);
        sequence.ClosedStream = 2;
        Assert.Equal(2, sequence.Fork().ClosedStream);
        model.Read(sequence, ids, [], closed);
        // The first memory layer sees the same and says the same; what lies above it has missed a stream.
        Assert.Equal(open.Layers[0].Output, closed.Layers[0].Output);
        Assert.NotEqual(open.Layers[1].HiddenIn.ToArray(), closed.Layers[1].HiddenIn.ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.ClosedStream = 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.ClosedStream = -1);
    }
}

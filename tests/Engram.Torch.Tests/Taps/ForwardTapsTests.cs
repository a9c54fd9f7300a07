using Engram.Torch.Taps;
using Engram.Torch.Tests.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Taps;

[OneThread]
public class ForwardTapsTests
{
    private const int Sequences = 2;
    private const int Length = 7;

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Streams_and_memory_of_every_layer_are_those_of_the_pass(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(TinyModels.Full, type);
        using var run = new TransformerRun(TinyModels.Full, Sequences, Length, type);
        using var taps = new ForwardTaps { StreamLayers = [0, 1, 2], MemoryLayers = [0, 2] };
        var (hidden, _) = model.Forward(run.Ids, [], Sequences, run.Memory, taps: taps);
        TensorAssert.BitIdentical(model.Forward(run.Ids, [], Sequences, run.Memory).Hidden, hidden);
        TensorAssert.BitIdentical(hidden, model.Hidden(taps.Streams(2)));
        Assert.Equal([Sequences, Length, 4, 16], taps.Streams(0).shape);
        TensorAssert.BitIdentical(taps.Streams(1), taps.Memory(2).HiddenIn);
        foreach (var layer in new[] { 0, 2 })
        {
            TensorAssert.BitIdentical(run.Memory!.Layer(layer)!, taps.Memory(layer).Memory);
            Assert.Equal([Sequences, Length, 4], taps.Memory(layer).Gate.shape);
            Assert.Equal([Sequences, Length, 4, 16], taps.Memory(layer).Output.shape);
        }

        // What the first layer's memory adds is what distinguishes the streams of a pass with its memory from one without.
        using var off = new ForwardTaps { StreamLayers = [0, 1], MemoryLayers = [0] };
        model.Forward(run.Ids, [], Sequences, null, taps: off);
        Assert.NotEqual(off.Streams(0).Values(), taps.Streams(0).Values());
        Assert.Contains("layer 0", Assert.Throws<InvalidOperationException>(() => off.Memory(0)).Message);
    }

    [Fact]
    public void A_tapped_training_step_has_the_same_gradients()
    {
        using var scope = NewDisposeScope();
        double[] Gradient(ForwardTaps? taps)
        {
            using var model = TinyModels.Build(TinyModels.Full);
            using var run = new TransformerRun(TinyModels.Full, Sequences, Length);
            model.Loss(model.Forward(run.Ids, [], Sequences, run.Memory, training: true, taps).Hidden, run.Ids).backward();
            return run.Memory!.Layer(0)!.grad!.Values();
        }

        using var taps = new ForwardTaps { StreamLayers = [0, 1, 2], MemoryLayers = [0, 2] };
        Assert.Equal(Gradient(null), Gradient(taps));
        Assert.False(taps.Streams(1).requires_grad || taps.Memory(0).Gate.requires_grad || taps.Memory(2).Output.requires_grad);
    }

    [Fact]
    public void Taps_see_the_new_tokens_of_states()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(TinyModels.Full, ScalarType.Float64);
        using var run = new TransformerRun(TinyModels.Full, Sequences, Length, ScalarType.Float64);
        using ForwardTaps whole = new() { StreamLayers = [1], MemoryLayers = [2] },
            part = new() { StreamLayers = [1], MemoryLayers = [2] };
        model.Forward(run.Ids, [], Sequences, run.Memory, taps: whole);
        var states = new[] { model.NewState(), model.NewState() };
        run.Next(model, states, 0, 5);
        run.Next(model, states, 5, Length, taps: part);
        TensorAssert.Close(whole.Streams(1).narrow(1, 5, 2), part.Streams(1), 1e-12); // float64, other order of additions
        TensorAssert.Close(whole.Memory(2).Gate.narrow(1, 5, 2), part.Memory(2).Gate, 1e-11);
        foreach (var state in states)
            state.Dispose();
    }

    [Fact]
    public void What_is_not_there_is_refused_by_name()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(TinyModels.Full);
        Assert.Contains(
            "layer 3",
            Assert.Throws<ArgumentException>(() => model.Forward([1, 2], [], 1, null, taps: new ForwardTaps { StreamLayers = [3] })).Message
        );
        Assert.Contains(
            "0, 2",
            Assert.Throws<ArgumentException>(() => model.Forward([1, 2], [], 1, null, taps: new ForwardTaps { MemoryLayers = [1] })).Message
        );
        using var taps = new ForwardTaps { StreamLayers = [0] };
        Assert.Throws<InvalidOperationException>(() => taps.Streams(0));
        model.Forward([1, 2], [], 1, null, taps: taps);
        Assert.Throws<InvalidOperationException>(() => taps.Streams(1));
        Assert.Equal([1, 2, 4, 16], taps.Streams(0).shape);
    }

    [Fact]
    public void Disposed_taps_keep_nothing()
    {
        using var model = TinyModels.Build(TinyModels.Full);
        var before = 0L;
        for (var round = 0; round < 3; round++)
        {
            using (var scope = NewDisposeScope())
            using (var taps = new ForwardTaps { StreamLayers = [0, 2], MemoryLayers = [0] })
            using (var run = new TransformerRun(TinyModels.Full, Sequences, Length))
            {
                model.Forward(run.Ids, [], Sequences, run.Memory, taps: taps);
                model.Forward(run.Ids, [], Sequences, run.Memory, taps: taps);
            }

            if (round == 0)
                before = DisposeScopeManager.Statistics.ThreadTotalLiveCount; // the rotary table stays
        }

        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}

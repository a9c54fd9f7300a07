using Engram.Models.Configuration;
using Engram.Models.Sequences;
using Engram.Torch.Layers;
using Engram.Torch.Taps;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>The memory's fusion around dead positions: nothing is added there, and nothing crosses them.</summary>
[OneThread]
public class DeadPositionTests
{
    private const int Length = 19;
    private const int Dead = 7; // the token id

    public static TheoryData<EngramGate, int, ScalarType> Forms()
    {
        var forms = new TheoryData<EngramGate, int, ScalarType>();
        foreach (var gate in Enum.GetValues<EngramGate>())
        foreach (var convolution in new[] { 0, 4 })
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
            forms.Add(gate, convolution, type);
        return forms;
    }

    [Theory, MemberData(nameof(Forms))]
    public void Behind_dead_positions_a_text_is_fused_like_a_document_of_its_own(EngramGate gate, int convolution, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var layer = Layer(gate, convolution, type);
        int[] deadAt = [0, 6, 7, 12];
        var (streams, memory, ids) = (Sample.Normal(1, type, 1, Length, 4, 16), Sample.Normal(2, type, 1, Length, 12), new int[Length]);
        foreach (var t in deadAt)
        {
            ids[t] = Dead;
            memory[0, t].zero_();
        }

        var whole = layer.Forward(streams, memory, Ages(ids), null, null);
        foreach (var t in deadAt)
            TensorAssert.Zero(whole[0, t], "what a dead position adds");
        foreach (var (from, to) in new[] { (1, 6), (8, 12), (13, Length) })
        {
            var alone = layer.Forward(
                streams.narrow(1, from, to - from),
                memory.narrow(1, from, to - from),
                Ages(ids[from..to]),
                null,
                null
            );
            // products of other shapes
            TensorAssert.Close(whole.narrow(1, from, to - from), alone, type == ScalarType.Float64 ? 1e-13 : 2e-6);
        }

        memory[0, 5].mul_(3);
        var changed = layer.Forward(streams, memory, Ages(ids), null, null);
        TensorAssert.BitIdentical(whole.narrow(1, 6, Length - 6), changed.narrow(1, 6, Length - 6), "what lies behind");
        Assert.NotEqual(whole[0, 5].Values(), changed[0, 5].Values());
    }

    [Theory, MemberData(nameof(Forms))]
    public void Kernel_and_composed_form_agree_in_value_and_gradients(EngramGate gate, int convolution, ScalarType type)
    {
        using var scope = NewDisposeScope();
        // In float32 the layer takes the kernels, in float64 it is composed of tensor operations.
        var (layer, composed) = (Layer(gate, convolution, type), Layer(gate, convolution, ScalarType.Float64));
        int[] ids = [1, 1, 1, 1, 1, Dead, 1, 1, 1, 1, 1, 1];
        using var taps = new ForwardTaps { MemoryLayers = [0] };
        (Tensor Output, Tensor Gradient) Run(EngramFusion fusion, ScalarType t, MemoryTap? tap)
        {
            var (streams, memory) = (Sample.Normal(1, t, 1, 12, 4, 16), Sample.Normal(2, t, 1, 12, 12));
            memory[0, 5].zero_();
            memory.requires_grad_();
            var output = fusion.Forward(streams, memory, Ages(ids), null, tap);
            (output * Sample.Normal(3, t, 1, 12, 4, 16)).sum().backward();
            return (output, memory.grad!);
        }

        var (plain, tapped, expected) = (
            Run(layer, type, null),
            Run(layer, type, taps.OfMemory(0)),
            Run(composed, ScalarType.Float64, null)
        );
        // The slope of the root amplifies float32 rounding.
        var tolerance = type == ScalarType.Float64 ? 1e-12 : 5e-5;
        TensorAssert.Close(expected.Output, plain.Output, tolerance);
        TensorAssert.Close(expected.Gradient, plain.Gradient, tolerance);
        TensorAssert.BitIdentical(plain.Output, tapped.Output);
        TensorAssert.BitIdentical(plain.Gradient, tapped.Gradient);
        Assert.All(taps.Memory(0).Gate[0, 5].Values(), value => Assert.Equal(0, value));
    }

    private static int[] Ages(int[] ids) =>
        new DocumentRule(TinyModels.Engram with { DeadTokenIds = [Dead] }, startToken: null).Places(ids, [], 1).Ages;

    private static EngramFusion Layer(EngramGate gate, int convolution, ScalarType type)
    {
        var parameters = TinyModels.Parameters(type);
        var layer = new EngramFusion(
            TinyModels.Dense with
            {
                HcMult = 4,
                Engram = TinyModels.Engram with { Gate = gate, ConvKernel = convolution },
            },
            "e",
            parameters
        );
        Sample.Fill(parameters, 3);
        return layer;
    }
}

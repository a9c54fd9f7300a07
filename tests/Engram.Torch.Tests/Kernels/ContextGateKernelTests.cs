using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Kernels;

public class ContextGateKernelTests
{
    public static TheoryData<int, int, int, int, EngramGate> Cases()
    {
        var cases = new TheoryData<int, int, int, int, EngramGate>();
        foreach (var tokens in KernelCheck.TokenCounts)
        foreach (var (streams, width) in new[] { (1, 1), (1, 7), (2, 3), (4, 8), (4, 17), (3, 33) })
        foreach (var threads in tokens < 64 ? [1] : new[] { 1, 2 })
        foreach (var gate in new[] { EngramGate.Sigmoid, EngramGate.SignedSqrt, EngramGate.CopySignSqrt })
            cases.Add(tokens, streams, width, threads, gate);
        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Agrees_with_the_composed_form(int tokens, int streams, int width, int threads, EngramGate gate)
    {
        using var scope = NewDisposeScope();
        using var _ = new Threads(threads);
        var pair = Pair(streams, width, gate);
        var streams32 = Sample.Normal(1, ScalarType.Float32, 1, tokens, streams, width);
        var keyValue32 = Sample.Normal(2, ScalarType.Float32, 1, tokens, streams + 1, width);
        if (gate != EngramGate.Sigmoid)
            // Keys near the queries or opposite to them keep scores away from 0, where the slope of the root amplifies rounding.
            keyValue32
                .narrow(2, 0, streams)
                .mul_(0.2)
                .add_(streams32 * Sample.Normal(3, ScalarType.Float32, 1, tokens, streams, 1).sign());
        keyValue32 = keyValue32.view(1, tokens, (streams + 1) * width);
        streams32.requires_grad_();
        keyValue32 = keyValue32.detach().requires_grad_();
        var streams64 = streams32.detach().to(ScalarType.Float64).requires_grad_();
        var keyValue64 = keyValue32.detach().to(ScalarType.Float64).requires_grad_();

        var parameters = pair.SingleParameters;
        var (queryGain, keyGain) = (parameters["e.q_weight"].Tensor, parameters["e.k_weight"].Tensor);
        var actual = ContextGateKernel.Apply(streams32, keyValue32, queryGain, keyGain, KernelCheck.Epsilon, gate);
        var expected = pair.Double.GateComposed(streams64, keyValue64).Gated;
        TensorAssert.Close(expected, actual, KernelCheck.Rounding);

        var upstream = Sample.Normal(4, ScalarType.Float32, expected.shape);
        actual.backward([upstream]);
        expected.backward([upstream.to(ScalarType.Float64)]);
        TensorAssert.Close(streams64.grad!, streams32.grad!, KernelCheck.Rounding, "gradient of the streams");
        TensorAssert.Close(keyValue64.grad!, keyValue32.grad!, KernelCheck.Rounding, "gradient of keys and value");
        foreach (var name in new[] { "e.q_weight", "e.k_weight" })
            TensorAssert.Close(
                pair.DoubleParameters[name].Tensor.grad!,
                parameters[name].Tensor.grad!,
                KernelCheck.Rounding,
                $"gradient of {name}"
            );
    }

    [Fact]
    public void Gates_of_random_scores_match_float64_to_one_millionth()
    {
        using var scope = NewDisposeScope();
        var pair = Pair(4, 64, EngramGate.Sigmoid);
        var h = Sample.Normal(1, ScalarType.Float32, 1, 200, 4, 64) * 3;
        var kv = Sample.Normal(2, ScalarType.Float32, 1, 200, 5 * 64);
        kv.narrow(2, 4 * 64, 64).fill_(1); // the gated value is then the gate itself
        var (queryGain, keyGain) = (pair.SingleParameters["e.q_weight"].Tensor, pair.SingleParameters["e.k_weight"].Tensor);
        var gates = ContextGateKernel.Apply(h, kv, queryGain, keyGain, KernelCheck.Epsilon, EngramGate.Sigmoid);
        var expected = pair.Double.GateComposed(h.to(ScalarType.Float64), kv.to(ScalarType.Float64)).Gate.unsqueeze(-1).expand_as(gates);
        Assert.True((gates.to(ScalarType.Float64) - expected).abs().max().item<double>() <= 1e-6);
    }

    [Theory, InlineData(EngramGate.SignedSqrt, 0.5), InlineData(EngramGate.Sigmoid, 0.5), InlineData(EngramGate.CopySignSqrt, 0.50025)]
    public void Zero_keys_open_the_gate_by_half(EngramGate gate, double expected)
    {
        using var scope = NewDisposeScope();
        var h = Sample.Leaf(1, ScalarType.Float32, 1, 3, 2, 5);
        var kv = zeros([1, 3, 15], ScalarType.Float32);
        kv.narrow(2, 10, 5).fill_(1);
        kv.requires_grad_();
        var gated = ContextGateKernel.Apply(h, kv, ones([2, 5]), ones([2, 5]), 1e-6, gate);
        // Exactly, but for sigmoid(±√1e-6) = 0.5 ± 0.00025, rounded to float32.
        Assert.All(gated.Values(), value => Assert.Equal(expected - 0.5, Math.Abs(value - 0.5), expected == 0.5 ? 0 : 1e-7));
        gated.sum().backward();
        TensorAssert.Zero(h.grad!, "gradient of the streams");
        Assert.All(kv.grad!.Values(), value => Assert.True(double.IsFinite(value)));
    }

    [Theory, InlineData(EngramGate.SignedSqrt), InlineData(EngramGate.CopySignSqrt)]
    public void Below_the_floor_the_signed_root_is_flat(EngramGate gate)
    {
        using var scope = NewDisposeScope();
        // Queries and keys of unit size at almost right angles: score √½ · 1e-7, below the floor of 1e-6.
        var h = tensor(new float[] { 1, 0 }, [1, 1, 1, 2]).requires_grad_();
        var kv = tensor(new float[] { 0.5e-7f, 1, 1, 1 }, [1, 1, 4]).requires_grad_();
        var gated = ContextGateKernel.Apply(h, kv, ones([1, 2]), ones([1, 2]), 1e-12, gate);
        // sigmoid(√1e-6) = 0.50025
        Assert.All(gated.Values(), value => Assert.Equal(1 / (1 + Math.Exp(-1e-3)), value, 1e-7));
        gated.sum().backward();
        TensorAssert.Zero(h.grad!, "gradient of the streams");
        TensorAssert.Zero(kv.grad!.narrow(2, 0, 2), "gradient of the key");
    }

    [Theory, InlineData(EngramGate.SignedSqrt), InlineData(EngramGate.CopySignSqrt), InlineData(EngramGate.Sigmoid)]
    public void Not_a_number_passes_through_as_in_the_composed_form(EngramGate gate)
    {
        using var scope = NewDisposeScope();
        var h = Sample.Normal(1, ScalarType.Float32, 1, 2, 1, 3);
        h[0, 0, 0, 0] = float.NaN;
        var kv = Sample.Normal(2, ScalarType.Float32, 1, 2, 6);
        var gated = ContextGateKernel.Apply(h, kv, ones([1, 3]), ones([1, 3]), 1e-6, gate).Values();
        Assert.All(gated[..3], value => Assert.True(double.IsNaN(value)));
        Assert.All(gated[3..], value => Assert.True(double.IsFinite(value)));
    }

    private static LayerPair<EngramFusion> Pair(int streams, int width, EngramGate gate)
    {
        var memory = TinyModels.Engram with { Gate = gate, NormEps = KernelCheck.Epsilon };
        return new(parameters => new EngramFusion(
            TinyModels.Dense with
            {
                HcMult = streams,
                HiddenSize = width,
                Engram = memory,
            },
            "e",
            parameters
        ));
    }
}

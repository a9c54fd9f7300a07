using Engram.Models.Configuration;
using Engram.Torch.Layers;
using Engram.Torch.Taps;
using Engram.Torch.Tests.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class EngramFusionTests
{
    private const int Batch = 2;
    private const int Length = 11;

    public static TheoryData<EngramGate, int> Forms()
    {
        var forms = new TheoryData<EngramGate, int>();
        foreach (var gate in Enum.GetValues<EngramGate>())
        foreach (var convolution in new[] { 0, 4 })
            forms.Add(gate, convolution);
        return forms;
    }

    [Theory]
    [InlineData(EngramGate.Sigmoid, ScalarType.Float32, 1.24), InlineData(EngramGate.Sigmoid, ScalarType.Float64, 1.24)]
    [
        InlineData(EngramGate.CopySignSqrt, ScalarType.Float32, 1.1135528725660043),
        InlineData(EngramGate.CopySignSqrt, ScalarType.Float64, 1.1135528725660043)
    ]
    [
        InlineData(EngramGate.SignedSqrt, ScalarType.Float32, 1.1135528725660043),
        InlineData(EngramGate.SignedSqrt, ScalarType.Float64, 1.1135528725660043)
    ]
    public void Hand_computed_gate_of_two_features(EngramGate gate, ScalarType type, double logit)
    {
        using var scope = NewDisposeScope();
        var configuration = TinyModels.Dense with { HiddenSize = 2, Engram = Memory(gate, convolution: 0) with { NormEps = 0 } };
        var (layer, parameters) = Layer(configuration, type);
        using (no_grad())
        {
            // Memory e₀ gives key (1, 7) and value (10, −20).
            parameters["e.wkv.weight"].Tensor.zero_().select(1, 0).copy_(tensor(new double[] { 1, 7, 10, -20 }));
            parameters["e.q_weight"].Tensor.fill_(1);
            parameters["e.k_weight"].Tensor.fill_(1);
        }

        // Query (3, 4) has root mean square 5/√2, key (1, 7) has 5: score (3·1 + 4·7) / (5/√2 · 5) / √2 = 31/25.
        var memory = zeros([1, 1, 12], type);
        memory[0, 0, 0] = 1.0;
        var y = layer.Forward(tensor(new double[] { 3, 4 }, [1, 1, 1, 2]).to(type), memory, [0], null, null);
        var alpha = 1 / (1 + Math.Exp(-logit));
        TensorAssert.Close(tensor(new[] { 10 * alpha, -20 * alpha }, [1, 1, 1, 2]), y, 3e-7); // a handful of float32 roundings
    }

    [Theory, MemberData(nameof(Forms))]
    public void Agrees_with_the_equations_stream_by_stream(EngramGate gate, int convolution)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration(gate, convolution), ScalarType.Float64);
        var (streams, memory) = Inputs(ScalarType.Float64);
        Tensor Value(string name) => parameters[$"e.{name}"].Tensor;
        static Tensor Norm(Tensor x) => x / (x.square().mean([-1L], keepdim: true) + 1e-6).sqrt();
        var keys = gate == EngramGate.None ? 0 : 4;
        var v = memory.matmul(Value("wkv.weight").narrow(0, 16 * keys, 16).t());
        var u = stack(
            Enumerable
                .Range(0, 4)
                .Select(m =>
                {
                    if (gate == EngramGate.None)
                        return v;
                    var key = memory.matmul(Value("wkv.weight").narrow(0, 16 * m, 16).t());
                    var score =
                        (Norm(streams.select(2, m)) * Value("q_weight")[m] * (Norm(key) * Value("k_weight")[m])).sum(-1, keepdim: true) / 4;
                    if (gate is EngramGate.SignedSqrt or EngramGate.CopySignSqrt)
                        score = score.sign() * score.abs().clamp(1e-6).sqrt();
                    return v / (1 + (-score).exp());
                })
                .ToArray(),
            2
        );
        if (convolution > 0)
        {
            var normed = (u / (u.square().mean([-1L], keepdim: true) + 1e-5).sqrt() * Value("conv_norm.weight")).flatten(2);
            var sum = zeros_like(normed);
            for (var j = 0; j < 4; j++)
            {
                var back = (3 - j) * 3;
                var shifted = cat([zeros([Batch, back, 64], ScalarType.Float64), normed.narrow(1, 0, Length - back)], 1);
                sum = sum + shifted * Value("conv.weight").select(2, j).squeeze(-1);
            }

            u = u + (sum * sum.sigmoid()).view(Batch, Length, 4, 16);
        }

        TensorAssert.Close(u, layer.Forward(streams, memory, Ages(), null, null), 1e-13);
    }

    [Theory, MemberData(nameof(Forms))]
    public void Both_precisions_agree(EngramGate gate, int convolution)
    {
        using var scope = NewDisposeScope();
        var pair = new LayerPair<EngramFusion>(parameters => new EngramFusion(Configuration(gate, convolution), "e", parameters));
        var (streams, memory) = Inputs(ScalarType.Float32);
        // The slope of the signed root at the smallest score of this sample multiplies the rounding of that score.
        var tolerance = gate is EngramGate.SignedSqrt or EngramGate.CopySignSqrt ? 5e-5 : 5e-6;
        Tensor[] inputs = gate == EngramGate.None ? [memory] : [memory, streams];
        KernelCheck.Agrees(
            x => pair.Single.Forward(gate == EngramGate.None ? streams : x[1], x[0], Ages(), null, null),
            x => pair.Double.Forward(gate == EngramGate.None ? streams.to(ScalarType.Float64) : x[1], x[0], Ages(), null, null),
            inputs,
            tolerance
        );
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, tolerance);
    }

    [Theory, MemberData(nameof(Forms))]
    public void Gradients_match_finite_differences(EngramGate gate, int convolution)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration(gate, convolution), ScalarType.Float64);
        var (streams, memory) = Inputs(ScalarType.Float64);
        streams.requires_grad_();
        memory.requires_grad_();
        var weights = Sample.Normal(8, ScalarType.Float64, streams.shape);
        (string, Tensor)[] inputs = gate == EngramGate.None ? [("memory", memory)] : [("memory", memory), ("streams", streams)];
        FiniteDifferences.Check(
            () => (layer.Forward(streams, memory, Ages(), null, null) * weights).sum(),
            [.. inputs, .. parameters.Leaves()]
        );
    }

    [Theory]
    [InlineData(EngramGate.CopySignSqrt, ScalarType.Float32), InlineData(EngramGate.CopySignSqrt, ScalarType.Float64)]
    [
        InlineData(EngramGate.SignedSqrt, ScalarType.Float32),
        InlineData(EngramGate.Sigmoid, ScalarType.Float32),
        InlineData(EngramGate.None, ScalarType.Float32)
    ]
    [
        InlineData(EngramGate.SignedSqrt, ScalarType.Float64),
        InlineData(EngramGate.Sigmoid, ScalarType.Float64),
        InlineData(EngramGate.None, ScalarType.Float64)
    ]
    public void Zero_rows_add_exactly_nothing_and_leave_finite_gradients(EngramGate gate, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration(gate, convolution: 4), type);
        var memory = zeros([Batch, Length, 12], type).requires_grad_();
        var y = layer.Forward(Inputs(type).Streams, memory, Ages(), null, null);
        TensorAssert.Zero(y);
        y.sum().backward();
        Assert.All(memory.grad!.Values(), value => Assert.True(double.IsFinite(value)));
        Assert.Contains(memory.grad!.Values(), value => value != 0);
        Assert.All(parameters["e.wkv.weight"].Tensor.grad!.Values(), value => Assert.Equal(0, value)); // the projection meets zero memory
    }

    [Theory, InlineData(EngramGate.SignedSqrt), InlineData(EngramGate.Sigmoid), InlineData(EngramGate.None)]
    public void Zero_taps_leave_the_gated_value_exactly(EngramGate gate)
    {
        using var scope = NewDisposeScope();
        var (with, from) = Layer(Configuration(gate, convolution: 4), ScalarType.Float32);
        var (without, to) = Layer(Configuration(gate, convolution: 0), ScalarType.Float32);
        using (no_grad())
        {
            from["e.conv.weight"].Tensor.zero_();
            foreach (var parameter in to.All)
                parameter.Tensor.copy_(from[parameter.Name].Tensor);
        }

        var (streams, memory) = Inputs(ScalarType.Float32);
        TensorAssert.BitIdentical(without.Forward(streams, memory, Ages(), null, null), with.Forward(streams, memory, Ages(), null, null));
    }

    [Theory]
    [InlineData(EngramGate.SignedSqrt, ScalarType.Float32, 0.0), InlineData(EngramGate.SignedSqrt, ScalarType.Float64, 0.0)]
    [InlineData(EngramGate.CopySignSqrt, ScalarType.Float32, 1e-3), InlineData(EngramGate.CopySignSqrt, ScalarType.Float64, 1e-3)]
    public void Zero_keys_open_the_gate_by_half(EngramGate form, ScalarType type, double logit)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration(form, 0), type);
        using (no_grad())
            parameters["e.wkv.weight"].Tensor.narrow(0, 0, 4 * 16).zero_();
        var (streams, memory) = Inputs(type);
        using var taps = new ForwardTaps { MemoryLayers = [0, 1, 3] };
        var traced = layer.Forward(streams, memory, Ages(), null, taps.OfMemory(0));
        // The sign of a zero dot product is that of its terms' sum: either way round.
        Assert.All(
            taps.Memory(0).Gate.Values(),
            gate => Assert.Equal(Math.Abs(1 / (1 + Math.Exp(-logit)) - 0.5), Math.Abs(gate - 0.5), logit == 0 ? 0 : 1e-7)
        );
        if (logit == 0)
            TensorAssert.BitIdentical(traced, layer.Forward(streams, memory, Ages(), null, null));
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Opposite_keys_give_opposite_gates(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration(EngramGate.SignedSqrt, 0), type);
        var (streams, memory) = Inputs(type);
        using var taps = new ForwardTaps { MemoryLayers = [0, 1, 3] };
        layer.Forward(streams, memory, Ages(), null, taps.OfMemory(0));
        using (no_grad())
            parameters["e.wkv.weight"].Tensor.narrow(0, 0, 4 * 16).neg_();
        layer.Forward(streams, memory, Ages(), null, taps.OfMemory(1));
        // two sigmoids in float32
        TensorAssert.Close(ones([Batch, Length, 4], ScalarType.Float64), taps.Memory(0).Gate + taps.Memory(1).Gate, 2e-7);
    }

    [Theory, MemberData(nameof(Forms))]
    public void A_tap_records_what_happened_without_changing_it(EngramGate gate, int convolution)
    {
        using var scope = NewDisposeScope();
        var (layer, _) = Layer(Configuration(gate, convolution), ScalarType.Float32);
        var (streams, memory) = Inputs(ScalarType.Float32);
        using var taps = new ForwardTaps { MemoryLayers = [0, 1, 3] };
        var traced = layer.Forward(streams, memory, Ages(), null, taps.OfMemory(3));
        var record = taps.Memory(3);
        Assert.Throws<InvalidOperationException>(() => taps.Memory(1));
        TensorAssert.BitIdentical(streams, record.HiddenIn);
        TensorAssert.BitIdentical(memory, record.Memory);
        TensorAssert.BitIdentical(traced, record.Output);
        Assert.Equal([Batch, Length, 4], record.Gate.shape);
        if (gate == EngramGate.None)
            Assert.All(record.Gate.Values(), value => Assert.Equal(1, value));
        TensorAssert.BitIdentical(layer.Forward(streams, memory, Ages(), null, null), traced);
    }

    private static EngramConfiguration Memory(EngramGate gate, int convolution) =>
        TinyModels.Engram with
        {
            Gate = gate,
            ConvKernel = convolution,
        };

    private static ModelConfiguration Configuration(EngramGate gate, int convolution) =>
        TinyModels.Dense with
        {
            HcMult = 4,
            Engram = Memory(gate, convolution),
        };

    private static (Tensor Streams, Tensor Memory) Inputs(ScalarType type) =>
        (Sample.Normal(1, type, Batch, Length, 4, 16), Sample.Normal(2, type, Batch, Length, 12));

    private static int[] Ages() => Sample.Ages([], Batch, Length);

    private static (EngramFusion Layer, ModelParameters Parameters) Layer(ModelConfiguration configuration, ScalarType type)
    {
        var parameters = TinyModels.Parameters(type);
        var layer = new EngramFusion(configuration, "e", parameters);
        Sample.Fill(parameters, 3);
        return (layer, parameters);
    }
}

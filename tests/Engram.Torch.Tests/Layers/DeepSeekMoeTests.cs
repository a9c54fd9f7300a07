using Engram.Models.Configuration;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Kernels;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class DeepSeekMoeTests
{
    private static ModelConfiguration Configuration { get; } = TinyModels.Full with { HcMult = 1, Engram = null };

    [Theory]
    [InlineData(1.0, 0.3017065, 0.6982935)]
    [InlineData(2.5, 0.7542663, 1.7457337)]
    public void Gates_of_the_golden_come_from_unbiased_affinities(double factor, double gate2, double gate4)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var parameters = TinyModels.Parameters(ScalarType.Float64);
        var configuration = TinyModels.Dense with
        {
            HiddenSize = 5,
            MoeIntermediateSize = 1,
            NRoutedExperts = 5,
            NumExpertsPerToken = 2,
            RoutedScalingFactor = factor,
        };
        var layer = new DeepSeekMoe(configuration, "mlp", parameters);
        // Input e₀: the first column of the router holds the logits, and expert i answers with the unit vector e_i, so the output is the
        // gates.
        parameters["mlp.gate.weight"].Tensor.zero_().select(1, 0).copy_(tensor(new[] { 0, 1, -1, 2, 0.5 }));
        parameters["mlp.experts.gate_up_proj"].Tensor.zero_().select(2, 0).copy_(tensor(new[] { 1, 1 + Math.Exp(-1) }));
        parameters["mlp.experts.down_proj"].Tensor.copy_(eye(5, 5, ScalarType.Float64).unsqueeze(-1));
        new[] { 0, -0.5f, 0.6f, -0.4f, 0 }.CopyTo(layer.Router.Bias);
        var y = layer.Forward(tensor(new double[] { 1, 0, 0, 0, 0 }, [1, 5]), 1, training: false).Output.Values();
        Assert.All(new[] { 0, 0, gate2, 0, gate4 }.Zip(y), pair => Assert.Equal(pair.First, pair.Second, 1e-7));
    }

    private static Dictionary<string, ModelConfiguration> Configurations { get; } =
        new()
        {
            ["sigmoid"] = Configuration,
            ["softmax, gates not normalised, no shared expert"] = Configuration with
            {
                NSharedExperts = 0,
                NormTopkProb = false,
                ScoringFunction = ScoringFunction.Softmax,
            },
            ["softplus, three experts per token"] = Configuration with
            {
                ScoringFunction = ScoringFunction.SqrtSoftplus,
                SharedExpertIntermediateSize = 4,
                NumExpertsPerToken = 3,
            },
            ["groups"] = Configuration with { NGroup = 3, TopkGroup = 2 },
            ["all experts"] = Configuration with { NumExpertsPerToken = 6 },
            ["odd width"] = Configuration with { MoeIntermediateSize = 7 },
        };

    public static TheoryData<string> Variants => [.. Configurations.Keys];

    [Theory, MemberData(nameof(Variants))]
    public void Dispatch_equals_every_expert_on_every_token_under_a_mask(string variant)
    {
        using var scope = NewDisposeScope();
        var configuration = Configurations[variant];
        var pair = Layers(configuration);
        var x = Sample.Normal(1, ScalarType.Float32, 67, 16);
        // Three float32 products and the gate one after the other.
        KernelCheck.Agrees(
            x => pair.Single.Forward(x[0], 1, training: false).Output,
            x => Reference(configuration, pair.DoubleParameters, pair.Double.Router, x[0]),
            [x],
            4e-6
        );
        TensorAssert.GradientsClose(pair.DoubleParameters, pair.SingleParameters, 4e-6);

        var gradients = pair.DoubleParameters.All.Select(p => p.Tensor.grad!.clone()).ToArray();
        foreach (var parameter in pair.DoubleParameters.All)
            parameter.Tensor.grad!.zero_();
        var x64 = x.to(ScalarType.Float64);
        var output = pair.Double.Forward(x64, 1, training: false).Output;
        TensorAssert.Close(Reference(configuration, pair.DoubleParameters, pair.Double.Router, x64), output, 1e-13);
        output.backward([Sample.Normal(99, ScalarType.Float32, 67, 16).to(ScalarType.Float64)]);
        foreach (var (parameter, expected) in pair.DoubleParameters.All.Zip(gradients))
            TensorAssert.Close(expected, parameter.Tensor.grad!, 1e-13, $"gradient of {parameter.Name}");
    }

    [Theory, MemberData(nameof(Variants))]
    public void Gradients_match_finite_differences(string variant)
    {
        using var scope = NewDisposeScope();
        var configuration = Configurations[variant];
        var pair = Layers(configuration);
        var layer = pair.Double;
        new[] { 0.1f, -0.05f, 0, 0.02f, 0, 0.07f }.CopyTo(layer.Router.Bias);
        var x = Sample.Leaf(2, ScalarType.Float64, 5, 16);
        var weights = Sample.Normal(3, ScalarType.Float64, 5, 16);
        FiniteDifferences.Check(
            () => (layer.Forward(x, 1, training: false).Output * weights).sum(),
            [("x", x), .. pair.DoubleParameters.Leaves()],
            choices: () => layer.Router.Choose(layer.Router.Affinities(x), false)
        );
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Experts_without_tokens_receive_exactly_zero(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration, type);
        new[] { -9f, 9, -9, 9, -9, -9 }.CopyTo(layer.Router.Bias);
        var x = Sample.Leaf(2, type, 9, 16);
        layer.Forward(x, 1, training: false).Output.square().sum().backward();
        foreach (var name in new[] { "mlp.experts.gate_up_proj", "mlp.experts.down_proj", "mlp.gate.weight" })
        {
            var gradient = parameters[name].Tensor.grad!;
            foreach (var expert in new[] { 0, 2, 4, 5 })
                TensorAssert.Zero(gradient[expert], $"gradient of {name}[{expert}]");
            foreach (var expert in new[] { 1, 3 })
                Assert.All(gradient[expert].Values(), value => Assert.True(double.IsFinite(value) && value != 0));
        }

        Assert.All(x.grad!.Values(), value => Assert.True(double.IsFinite(value)));
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Renumbering_the_experts_changes_nothing(ScalarType type)
    {
        using var scope = NewDisposeScope();
        int[] permutation = [3, 0, 5, 1, 4, 2];
        var (original, from) = Layer(Configuration, type);
        var (renumbered, to) = Layer(Configuration, type);
        float[] bias = [0.1f, 0, -0.2f, 0.05f, 0.3f, 0];
        bias.CopyTo(original.Router.Bias);
        permutation.Select(e => bias[e]).ToArray().CopyTo(renumbered.Router.Bias);
        using (no_grad())
            foreach (var name in new[] { "mlp.experts.gate_up_proj", "mlp.experts.down_proj", "mlp.gate.weight" })
                to[name].Tensor.copy_(from[name].Tensor.index_select(0, tensor(permutation, ScalarType.Int64)));
        var x = Sample.Normal(2, type, 33, 16);
        // The same products per token; a matrix product may order its additions by the size of the group.
        TensorAssert.Close(
            original.Forward(x, 1, false).Output,
            renumbered.Forward(x, 1, false).Output,
            type == ScalarType.Float32 ? 1e-6 : 1e-14
        );
        Assert.NotEqual(
            original.Router.Choose(original.Router.Affinities(x), false),
            renumbered.Router.Choose(renumbered.Router.Affinities(x), false)
        );
    }

    [Fact]
    public void Bias_updates_count_the_whole_step_however_it_is_divided()
    {
        using var scope = NewDisposeScope();
        var x = Sample.Normal(2, ScalarType.Float32, 8 * 5, 16);
        var (whole, _) = Layer(Configuration, ScalarType.Float32);
        var (divided, _) = Layer(Configuration, ScalarType.Float32);
        for (var step = 0; step < 3; step++)
        {
            whole.Forward(x, 8, training: true);
            for (var i = 0; i < 8; i++)
                divided.Forward(x.narrow(0, 5 * i, 5), 1, training: true);
            Assert.Equal(whole.Router.Load.ToArray(), divided.Router.Load.ToArray());
            Assert.Equal(40 * 2, whole.Router.Load.ToArray().Sum());
            whole.Router.UpdateBias(0.01);
            divided.Router.UpdateBias(0.01);
            Assert.Equal(whole.Router.Bias.ToArray(), divided.Router.Bias.ToArray());
            Assert.Contains(whole.Router.Bias.ToArray(), bias => bias != 0);
        }
    }

    [Fact]
    public void Evaluation_neither_counts_load_nor_computes_the_balance_loss()
    {
        using var scope = NewDisposeScope();
        var (layer, _) = Layer(Configuration with { SequenceAuxiliaryLossAlpha = 0.01 }, ScalarType.Float32);
        var (_, loss) = layer.Forward(Sample.Normal(2, ScalarType.Float32, 4, 16), 1, training: false);
        Assert.Null(loss);
        Assert.Equal(0, layer.Router.Load.ToArray().Sum());
    }

    [Fact]
    public void The_balance_loss_is_alpha_at_uniform_routing()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (layer, parameters) = Layer(OneExpertEach(4) with { SequenceAuxiliaryLossAlpha = 0.01 }, ScalarType.Float64);
        parameters["mlp.gate.weight"].Tensor.copy_(eye(4, 4, ScalarType.Float64) * 3);
        // Token t prefers expert t, twice per sequence: f_i = 1 for every expert, and the shares sum to 1.
        var x = eye(4, 4, ScalarType.Float64).repeat(4, 1);
        Assert.Equal(0.01, layer.Forward(x, 2, training: true).AuxiliaryLoss!.item<double>(), 1e-15);
    }

    [Fact]
    public void The_balance_loss_of_one_hand_computed_sequence()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (layer, parameters) = Layer(OneExpertEach(2) with { SequenceAuxiliaryLossAlpha = 0.5 }, ScalarType.Float64);
        // Affinities (¾, ¼) and (⅘, ⅕): both tokens choose expert 0, f = (2, 0), P = (0.775, 0.225), loss = ½ · 2 · 0.775.
        double Logit(double p) => Math.Log(p / (1 - p));
        parameters["mlp.gate.weight"].Tensor.copy_(tensor(new[] { Logit(0.75), Logit(0.8), Logit(0.25), Logit(0.2) }, [2, 2]));
        Assert.Equal(0.775, layer.Forward(eye(2, 2, ScalarType.Float64), 1, training: true).AuxiliaryLoss!.item<double>(), 1e-14);
    }

    [Fact]
    public void The_balance_loss_is_a_mean_over_sequences_and_its_gradient_matches_finite_differences()
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration with { SequenceAuxiliaryLossAlpha = 1 }, ScalarType.Float64);
        var x = Sample.Leaf(2, ScalarType.Float64, 3 * 4, 16);
        var separate = Enumerable
            .Range(0, 3)
            .Select(i => layer.Forward(x.narrow(0, 4 * i, 4), 1, true).AuxiliaryLoss!.item<double>())
            .Average();
        Assert.Equal(separate, layer.Forward(x, 3, true).AuxiliaryLoss!.item<double>(), 1e-14);
        FiniteDifferences.Check(
            () => layer.Forward(x, 3, true).AuxiliaryLoss!,
            [("x", x), ("router", parameters["mlp.gate.weight"].Tensor)],
            choices: () => layer.Router.Choose(layer.Router.Affinities(x), false)
        );
    }

    [Fact]
    public void Repeated_runs_are_bit_identical()
    {
        using var scope = NewDisposeScope();
        var (layer, parameters) = Layer(Configuration, ScalarType.Float32);
        var x = Sample.Leaf(2, ScalarType.Float32, 150, 16);
        Tensor[] Run()
        {
            x.grad?.zero_();
            foreach (var parameter in parameters.All)
                parameter.Tensor.grad?.zero_();
            var y = layer.Forward(x, 1, false).Output;
            y.square().sum().backward();
            return [y.clone(), x.grad!.clone(), .. parameters.All.Select(p => p.Tensor.grad!.clone())];
        }

        foreach (var (first, second) in Run().Zip(Run()))
            TensorAssert.BitIdentical(first, second);
    }

    /// <summary>Σ_i g_i SwiGLU_i(x) over all experts, with g zero off the chosen ones, and the shared expert.</summary>
    private static Tensor Reference(ModelConfiguration configuration, ModelParameters parameters, ExpertRouter router, Tensor x)
    {
        Tensor Value(string name) => parameters[$"mlp.{name}"].Tensor;
        Tensor Feed(Tensor gateUp, Tensor down)
        {
            var halves = x.mm(gateUp.t()).chunk(2, -1);
            return (halves[0] * halves[0].sigmoid() * halves[1]).mm(down.t());
        }

        var logits = x.mm(Value("gate.weight").t());
        var affinities = configuration.ScoringFunction switch
        {
            ScoringFunction.Softmax => logits.exp() / logits.exp().sum(-1, keepdim: true),
            ScoringFunction.SqrtSoftplus => (1 + logits.exp()).log().sqrt(),
            _ => 1 / (1 + (-logits).exp()),
        };
        var mask = zeros_like(affinities);
        var chosen = router.Choose(affinities, countLoad: false).Chunk(configuration.NumExpertsPerToken).ToArray();
        for (var t = 0; t < chosen.Length; t++)
            foreach (var expert in chosen[t])
                mask[t, expert] = 1.0;
        var gates = affinities * mask;
        if (configuration.NormTopkProb)
            gates = gates / gates.sum(-1, keepdim: true);
        var y = zeros_like(x);
        for (var e = 0; e < configuration.NRoutedExperts; e++)
            y =
                y
                + gates.narrow(1, e, 1)
                    * configuration.RoutedScalingFactor
                    * Feed(Value("experts.gate_up_proj")[e], Value("experts.down_proj")[e]);
        return configuration.SharedExpertWidth == 0
            ? y
            : y + Feed(Value("shared_experts.gate_up_proj.weight"), Value("shared_experts.down_proj.weight"));
    }

    /// <summary>As many features as experts, one of which each token chooses.</summary>
    private static ModelConfiguration OneExpertEach(int experts) =>
        TinyModels.Dense with
        {
            HiddenSize = experts,
            MoeIntermediateSize = 4,
            NRoutedExperts = experts,
            NumExpertsPerToken = 1,
        };

    private static LayerPair<DeepSeekMoe> Layers(ModelConfiguration configuration) =>
        new(parameters => new DeepSeekMoe(configuration, "mlp", parameters));

    private static (DeepSeekMoe Layer, ModelParameters Parameters) Layer(ModelConfiguration configuration, ScalarType type)
    {
        var parameters = TinyModels.Parameters(type);
        var layer = new DeepSeekMoe(configuration, "mlp", parameters);
        Sample.Fill(parameters, 3);
        return (layer, parameters);
    }
}

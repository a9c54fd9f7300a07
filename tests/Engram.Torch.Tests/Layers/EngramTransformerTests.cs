using Engram.Models.Configuration;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

[OneThread]
public class EngramTransformerTests
{
    private const int Sequences = 2;
    private const int Length = 6;

    private static Dictionary<string, ModelConfiguration> Models { get; } =
        new()
        {
            ["dense"] = TinyModels.Dense,
            ["dense, tied, scaled embedding"] = TinyModels.Dense with { TieWordEmbeddings = true, EmbeddingScale = 3 },
            ["experts"] = TinyModels.Full with { HcMult = 1, Engram = null },
            ["streams"] = TinyModels.Dense with { HcMult = 3 },
            ["memory"] = TinyModels.Dense with { Engram = TinyModels.Engram with { Gate = EngramGate.Sigmoid } },
            ["everything"] = TinyModels.Full with { QLoraRank = 7, SequenceAuxiliaryLossAlpha = 0.5 },
            ["everything, unconstrained streams"] = TinyModels.Full with
            {
                HcConstrained = false,
                Engram = TinyModels.Engram with { Gate = EngramGate.Sigmoid },
            },
            ["everything, one fusion, learnt exit"] = TinyModels.Full with
            {
                HcExit = StreamExit.Head,
                Engram = TinyModels.Engram with { Fusion = FusionPlace.Mixture },
            },
            ["everything, no gate"] = TinyModels.Full with { Engram = TinyModels.Engram with { Gate = EngramGate.None } },
        };

    public static TheoryData<string> Names => [.. Models.Keys];

    [
        Theory,
        InlineData("dense, tied, scaled embedding"),
        InlineData("everything"),
        InlineData("everything, unconstrained streams"),
        InlineData("everything, one fusion, learnt exit")
    ]
    public void Gradients_match_finite_differences(string name)
    {
        using var scope = NewDisposeScope();
        // Two blocks hold every kind of layer: dense and expert, each with memory.
        var memory = Models[name].Engram is { } engram ? engram with { LayerIds = [0, 1] } : null;
        var configuration = Models[name] with { NumHiddenLayers = 2, Engram = memory };
        using var model = TinyModels.Build(configuration, ScalarType.Float64);
        using var run = new TransformerRun(configuration, Sequences, Length, ScalarType.Float64);
        // A step that changed the choice of an expert would fail the check, not pass it: the seed leaves a margin.
        var targets = Sample.Ids(3, Sequences * Length, configuration.VocabularySize);
        var rows = run.Memory is null
            ? []
            : configuration.Engram!.LayerIds.Select(layer => ($"rows of layer {layer}", run.Memory.Layer(layer)!));
        FiniteDifferences.Check(() => Loss(model, run, targets), [.. model.Parameters.Leaves(), .. rows], directions: 1);
    }

    [Theory, MemberData(nameof(Names))]
    public void Both_precisions_agree(string name)
    {
        using var scope = NewDisposeScope();
        using var single = TinyModels.Build(Models[name]);
        using var twice = TinyModels.Build(Models[name], ScalarType.Float64);
        using var run32 = new TransformerRun(Models[name], 8, 16);
        using var run64 = new TransformerRun(Models[name], 8, 16, ScalarType.Float64);
        var targets = Sample.Ids(3, 8 * 16, Models[name].VocabularySize);
        var (actual, expected) = (Loss(single, run32, targets), Loss(twice, run64, targets));
        TensorAssert.Close(expected, actual, 1e-6);
        actual.backward();
        expected.backward();
        // All kernels in a row against all composed forms: float32 rounding through three layers, amplified by the slope of the signed
        // root.
        TensorAssert.GradientsClose(twice.Parameters, single.Parameters, 1e-3);
        foreach (var layer in Models[name].Engram?.LayerIds ?? [])
            TensorAssert.Close(
                run64.Memory!.Layer(layer)!.grad!,
                run32.Memory!.Layer(layer)!.grad!,
                1e-3,
                $"gradient of the rows of layer {layer}"
            );
    }

    // The plain network normalises x, this one a multiple of x: the same function as long as ε of the norms does not count. With ε = 1e-6
    // it does: embeddings of std 0.02 have a mean square of 4e-4, so the first norms differ by half a thousandth.
    [Theory]
    [
        InlineData(0.02, 1e-20, 1e-4, true, StreamExit.Mean),
        InlineData(0.1, 1e-20, 1e-4, true, StreamExit.Mean),
        InlineData(0.02, 1e-6, 5e-4, true, StreamExit.Mean)
    ]
    [InlineData(0.1, 1e-20, 1e-4, true, StreamExit.Head), InlineData(0.1, 1e-20, 1e-4, false, StreamExit.Mean)]
    public void Four_streams_start_as_the_plain_residual_network(
        double std,
        double epsilon,
        double tolerance,
        bool constrained,
        StreamExit exit
    )
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var configuration = Presets.Load("tiny") with { InitializerRange = std, RmsNormEps = epsilon };
        using var four = new EngramTransformer(configuration with { HcConstrained = constrained, HcExit = exit });
        using var plain = new EngramTransformer(configuration with { HcMult = 1 });
        four.Parameters.Initialize(1);
        plain.Parameters.Initialize(1);
        // Unconstrained streams start with smaller last matrices, because they are summed; with the same ones the function is the same.
        foreach (
            var parameter in four.Parameters.All.Where(p => !constrained && (p.Name.Contains("o_proj") || p.Name.Contains("down_proj")))
        )
            parameter.Tensor.mul_(2.0);
        var ids = Sample.Ids(2, 40, 512);
        var (a, b) = (four.Logits(four.Forward(ids, [], 2, null).Hidden), plain.Logits(plain.Forward(ids, [], 2, null).Hidden));
        Assert.InRange(b.abs().max().item<float>(), 10 * std, 50 * std); // logits that could differ
        // Eight sub-layers, each of which keeps all but 1e-6 of the residual.
        Assert.InRange((a - b).abs().max().item<float>(), 0, tolerance);
    }

    [Fact]
    public void Four_streams_receive_different_gradients_at_the_start()
    {
        using var scope = NewDisposeScope();
        using var model = new EngramTransformer(TinyModels.Dense with { HcMult = 4 });
        model.Parameters.Initialize(1);
        model.Loss(model.Forward(Sample.Ids(2, 12, 37), [], 1, null).Hidden, Sample.Ids(3, 12, 37)).backward();
        var perStream = model.Parameters["model.layers.1.hc_attn_fn"].Tensor.grad!.narrow(0, 0, 4).Rows();
        for (var m = 1; m < 4; m++)
            Assert.NotEqual(perStream[0], perStream[m]);
    }

    [Theory, InlineData(true, FusionPlace.Streams, StreamExit.Mean), InlineData(false, FusionPlace.Mixture, StreamExit.Head)]
    public void Layers_follow_each_other_as_the_paper_draws_them(bool constrained, FusionPlace place, StreamExit exit)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var configuration = TinyModels.Full with
        {
            HcConstrained = constrained,
            HcExit = exit,
            Engram = TinyModels.Engram with { Fusion = place },
        };
        using var model = TinyModels.Build(configuration, ScalarType.Float64);
        using var run = new TransformerRun(configuration, Sequences, Length, ScalarType.Float64);

        // The same layers once more under the same names, and so with the same values, put together here.
        var parameters = TinyModels.Parameters(ScalarType.Float64);
        using var rotary = new RotaryEmbedding(configuration, CPU, ScalarType.Float64);
        var x = model.Parameters["model.embed_tokens.weight"].Tensor[tensor(run.Ids, ScalarType.Int64)].unsqueeze(1).repeat(1, 4, 1);
        for (var layer = 0; layer < configuration.NumHiddenLayers; layer++)
        {
            var name = $"model.layers.{layer}";
            Tensor WithMemory(Tensor h, int width)
            {
                if (!configuration.HasMemory(layer))
                    return h;
                var fusion = new EngramFusion(configuration, $"{name}.engram", parameters);
                Sample.Fill(parameters, 5);
                var ages = Sample.Ages([], Sequences, Length);
                return h + fusion.Forward(h.view(Sequences, Length, width, 16), run.Memory!.Layer(layer)!, ages, null, null).view_as(h);
            }

            if (place == FusionPlace.Streams)
                x = WithMemory(x, 4);
            var attention = new MultiHeadLatentAttention(configuration, $"{name}.self_attn", rotary, parameters);
            var experts = configuration.IsMoeLayer(layer) ? new DeepSeekMoe(configuration, $"{name}.mlp", parameters) : null;
            var dense = experts is null ? new SwiGlu($"{name}.mlp", configuration.IntermediateSize, configuration, parameters) : null;
            StreamConnection Connection(string part, int index) =>
                constrained
                    ? new HyperConnection(configuration, $"{name}.{part}", index, parameters)
                    : new FreeHyperConnection(configuration, $"{name}.{part}", index, parameters);
            var (around, behind) = (Connection("hc_attn", 2 * layer), Connection("hc_ffn", (2 * layer) + 1));
            Sample.Fill(parameters, 5);

            var (input, coefficients) = around.Read(x);
            if (place == FusionPlace.Mixture)
                input = WithMemory(input, 1);
            var normed = RmsNorm.Unit(input, 1e-6) * model.Parameters[$"{name}.input_layernorm.weight"].Tensor;
            x = around.Write(
                x,
                attention.Forward(normed.view(Sequences, Length, 16), rotary.Angles([0], Length), null, null, false).view(-1, 16),
                coefficients
            );
            (input, coefficients) = behind.Read(x);
            normed = RmsNorm.Unit(input, 1e-6) * model.Parameters[$"{name}.post_attention_layernorm.weight"].Tensor;
            x = behind.Write(x, experts?.Forward(normed, Sequences, false).Output ?? dense!.Forward(normed), coefficients);
        }

        var left = x.mean([1L]);
        if (exit == StreamExit.Head)
        {
            Tensor Head(string part) => model.Parameters[$"model.hc_head_{part}"].Tensor;
            var weights = (RmsNorm.Unit(x.flatten(1), 1e-6).mm(Head("fn").t()) * Head("scale") + Head("base")).sigmoid() + 1e-6;
            left = (weights.unsqueeze(-1) * x).sum(1);
        }

        var hidden = RmsNorm.Unit(left, 1e-6) * model.Parameters["model.norm.weight"].Tensor;
        TensorAssert.Close(hidden, run.Hidden(model).view(-1, 16), 1e-13); // the same float64 operations
        TensorAssert.Close(hidden.mm(model.Parameters["lm_head.weight"].Tensor.t()), model.Logits(hidden), 1e-14);
    }

    [Fact]
    public void A_tied_head_is_the_unscaled_embedding()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var tied = TinyModels.Build(TinyModels.Dense with { TieWordEmbeddings = true, EmbeddingScale = 3 }, ScalarType.Float64);
        using var untied = TinyModels.Build(TinyModels.Dense, ScalarType.Float64);
        var embedding = tied.Parameters["model.embed_tokens.weight"].Tensor;
        untied.Parameters["model.embed_tokens.weight"].Tensor.copy_(embedding * 3);
        untied.Parameters["lm_head.weight"].Tensor.copy_(embedding);
        using var run = new TransformerRun(TinyModels.Dense, 1, Length, ScalarType.Float64);
        TensorAssert.BitIdentical(untied.Logits(run.Hidden(untied)), tied.Logits(run.Hidden(tied)));
        Assert.DoesNotContain("lm_head.weight", tied.Parameters.All.Select(p => p.Name));
    }

    [Fact]
    public void Memory_is_off_without_rows_and_with_zero_rows()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(TinyModels.Full);
        using var run = new TransformerRun(TinyModels.Full, Sequences, Length);
        var on = run.Hidden(model);
        var off = model.Forward(run.Ids, [], Sequences, null).Hidden.view_as(on);
        using var empty = run.Memory!.Map(TinyModels.Full, rows => zeros_like(rows));
        TensorAssert.BitIdentical(off, model.Forward(run.Ids, [], Sequences, empty).Hidden.view_as(on));
        Assert.InRange((on - off).abs().max().item<float>(), 0.1f, 100f);
    }

    [Fact]
    public void Loss_is_the_mean_cross_entropy_of_the_logits()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var model = TinyModels.Build(TinyModels.Dense, ScalarType.Float64);
        using var run = new TransformerRun(TinyModels.Dense, 1, Length, ScalarType.Float64);
        var hidden = run.Hidden(model)[0];
        var targets = Sample.Ids(3, Length, 37);
        var expected = model.Logits(hidden).Rows().Select((row, t) => Math.Log(row.Sum(Math.Exp)) - row[targets[t]]).Average();
        Assert.Equal(expected, model.Loss(hidden, targets).item<double>(), 1e-12);
    }

    [Fact]
    public void The_balance_losses_of_all_expert_layers_are_added_in_training_only()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var configuration = TinyModels.Full with { SequenceAuxiliaryLossAlpha = 0.25 };
        using var model = TinyModels.Build(configuration);
        using var run = new TransformerRun(configuration, Sequences, Length);
        var loss = model.Forward(run.Ids, [], Sequences, run.Memory, training: true).AuxiliaryLoss!.item<float>();
        Assert.InRange(loss, 2 * 0.25f * 0.9f, 2 * 0.25f * 3); // α per expert layer at balance, more off balance
        var apart = Enumerable
            .Range(0, Sequences)
            .Select(b =>
            {
                using var memory = run.Memory!.Map(configuration, rows => rows.narrow(0, b, 1));
                return model.Forward(run.Ids.AsSpan(b * Length, Length), [], 1, memory, training: true).AuxiliaryLoss!.item<float>();
            });
        Assert.Equal(apart.Average(), loss, 1e-5f); // float32 rounding
        Assert.Null(model.Forward(run.Ids, [], Sequences, run.Memory).AuxiliaryLoss);
        using var without = TinyModels.Build(TinyModels.Full);
        Assert.Null(without.Forward(run.Ids, [], Sequences, run.Memory, training: true).AuxiliaryLoss);
    }

    [Fact]
    public void Router_biases_move_once_per_step_however_the_batch_is_divided()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var whole = TinyModels.Build(TinyModels.Full);
        using var divided = TinyModels.Build(TinyModels.Full);
        using var run = new TransformerRun(TinyModels.Full, 8, Length);
        whole.Forward(run.Ids, [], 8, run.Memory, training: true);
        whole.UpdateRouterBiases();
        for (var b = 0; b < 8; b++)
        {
            using var memory = run.Memory!.Map(TinyModels.Full, rows => rows.narrow(0, b, 1));
            divided.Forward(run.Ids.AsSpan(b * Length, Length), [], 1, memory, training: true);
        }

        divided.UpdateRouterBiases();
        Assert.Equal(
            new[] { 1, 2 }.Select(layer => $"model.layers.{layer}.mlp.gate.e_score_correction_bias"),
            whole.RouterBiases.Select(b => b.Name)
        );
        foreach (var ((_, a), (_, b)) in whole.RouterBiases.Zip(divided.RouterBiases))
        {
            Assert.Equal(a.ToArray(), b.ToArray());
            Assert.All(a.ToArray(), bias => Assert.Contains(bias, new[] { -0.001f, 0, 0.001f }));
            Assert.Contains(a.ToArray(), bias => bias != 0);
        }
    }

    [Theory]
    [InlineData(-1, "-1"), InlineData(37, "37"), InlineData(int.MaxValue, "2147483647")]
    public void Ids_outside_the_vocabulary_are_refused_with_their_place(int id, string value)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(TinyModels.Dense);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => model.Forward([0, 1, id, 3], [], 1, null));
        Assert.Contains(value, error.Message);
        Assert.Contains("position 2", error.Message);
        Assert.Contains("37", error.Message);
    }

    [Fact]
    public void Inputs_that_do_not_fit_together_are_refused()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(TinyModels.Dense);
        Assert.Throws<ArgumentException>(() => model.Forward([0, 1, 2], [], 2, null));
        Assert.Throws<ArgumentException>(() => model.Forward([], [], 1, null));
        Assert.Throws<ArgumentException>(() => model.Forward([0, 1], [true], 1, null));
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Targets_outside_the_vocabulary_are_refused(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Build(TinyModels.Dense, type);
        var hidden = model.Forward([0, 1], [], 1, null).Hidden;
        Assert.Contains("37", Assert.Throws<ArgumentOutOfRangeException>(() => model.Loss(hidden, [0, 37])).Message);
        Assert.Contains("-1", Assert.Throws<ArgumentOutOfRangeException>(() => model.Loss(hidden, [-1, 0])).Message);
        Assert.Contains("2 rows", Assert.Throws<ArgumentException>(() => model.Loss(hidden, [0])).Message);
    }

    private static Tensor Loss(EngramTransformer model, TransformerRun run, int[] targets)
    {
        var (hidden, auxiliary) = model.Forward(run.Ids, run.Starts, run.Sequences, run.Memory, training: true);
        var loss = model.Loss(hidden, targets);
        return auxiliary is null ? loss : loss + auxiliary;
    }
}

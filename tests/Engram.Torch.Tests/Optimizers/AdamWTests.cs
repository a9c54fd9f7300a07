using Engram.Torch.Layers;
using Engram.Training.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Engram.Torch.Tests.Optimizers;

public class AdamWTests
{
    [Fact]
    public void The_first_step_moves_every_entry_by_the_learning_rate()
    {
        using var scope = NewDisposeScope();
        var parameter = Of("w", tensor(new[] { 1f, -2f, 3f, 4f }));
        parameter.Tensor.grad = tensor(new[] { 5f, -1e-12f, 0.1f, 0f });
        using var adam = new AdamW([parameter], [], new AdamWOptions());
        adam.Step(0.01);
        // Decay 1 − 0.01·0.1 first; then ∓0.01 by the sign of the gradient, however small; nothing where it is zero.
        Assert.Equal(
            [0.999f - 0.01f, -1.998f + 0.01f, 2.997f - 0.01f, 3.996f],
            parameter.Tensor.data<float>().ToArray(),
            (a, b) => Math.Abs(a - b) < 1e-6f
        );
    }

    [Fact]
    public void A_hundred_steps_agree_with_a_double_reference()
    {
        using var scope = NewDisposeScope();
        var options = new AdamWOptions
        {
            Beta1 = 0.9,
            Beta2 = 0.95,
            Epsilon = 1e-8,
            WeightDecay = 0.1,
        };
        ModelParameter[] parameters = [Of("w", 1, 3, 5), Of("gain", 2, 7)];
        using var adam = new AdamW([parameters[0]], [parameters[1]], options);
        double[][] w = [.. parameters.Select(p => p.Tensor.detach().data<float>().ToArray().Select(x => (double)x).ToArray())];
        double[][] m = [new double[15], new double[7]],
            v = [new double[15], new double[7]];
        for (var t = 1; t <= 100; t++)
        {
            var rate = 0.01 / Math.Sqrt(t);
            for (var i = 0; i < 2; i++)
            {
                var gradient = randn(parameters[i].Tensor.shape, generator: new Generator((ulong)(2 * t + i))) * Math.Pow(10, t % 5 - 4);
                parameters[i].Tensor.grad = gradient;
                var g = gradient.data<float>().ToArray();
                for (var k = 0; k < g.Length; k++)
                {
                    w[i][k] *= 1 - rate * (i == 0 ? options.WeightDecay : 0);
                    m[i][k] = options.Beta1 * m[i][k] + (1 - options.Beta1) * g[k];
                    v[i][k] = options.Beta2 * v[i][k] + (1 - options.Beta2) * g[k] * (double)g[k];
                    var (mean, square) = (m[i][k] / (1 - Math.Pow(options.Beta1, t)), v[i][k] / (1 - Math.Pow(options.Beta2, t)));
                    w[i][k] -= rate * mean / (Math.Sqrt(square) + options.Epsilon);
                }
            }
            adam.Step(rate);
        }
        for (var i = 0; i < 2; i++)
            Assert.Equal(
                w[i],
                [.. parameters[i].Tensor.detach().data<float>().ToArray().Select(x => (double)x)],
                (a, b) => Math.Abs(a - b) < 2e-5
            );
    }

    [Fact]
    public void A_restored_run_continues_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        static void Run(ModelParameter[] parameters, AdamW adam, int from, int to)
        {
            for (var step = from; step < to; step++)
            {
                for (var i = 0; i < parameters.Length; i++)
                    parameters[i].Tensor.grad = randn(parameters[i].Tensor.shape, generator: new Generator((ulong)(10 * step + i)));
                adam.Step(0.01);
            }
        }

        ModelParameter[] uninterrupted = [Of("w", 1, 3, 5), Of("gain", 2, 7)];
        using var first = new AdamW([uninterrupted[0]], [uninterrupted[1]], new AdamWOptions());
        Run(uninterrupted, first, 0, 10);

        ModelParameter[] before = [Of("w", 1, 3, 5), Of("gain", 2, 7)];
        using var second = new AdamW([before[0]], [before[1]], new AdamWOptions());
        Run(before, second, 0, 5);
        var state = second.State().ToDictionary(s => s.Name, s => s.Value.clone());
        Assert.Equal(
            ["gain.exp_avg", "gain.exp_avg_sq", "gain.step", "w.exp_avg", "w.exp_avg_sq", "w.step"],
            state.Keys.Order(StringComparer.Ordinal)
        );
        Assert.Equal(5f, state["w.step"].item<float>());

        ModelParameter[] after = [.. before.Select(p => Of(p.Name, p.Tensor.detach().clone()))];
        using var third = new AdamW([after[0]], [after[1]], new AdamWOptions());
        third.Load(state);
        Run(after, third, 5, 10);
        for (var i = 0; i < after.Length; i++)
            Assert.True(uninterrupted[i].Tensor.bytes.SequenceEqual(after[i].Tensor.bytes), after[i].Name);
    }

    [Fact]
    public void A_state_that_does_not_fit_is_named_and_changes_nothing()
    {
        using var scope = NewDisposeScope();
        ModelParameter[] parameters = [Of("w", 1, 2), Of("gain", 2, 2)];
        using var adam = new AdamW([parameters[0]], [parameters[1]], new AdamWOptions());
        Dictionary<string, Tensor> Stored() => adam.State().ToDictionary(s => s.Name, s => ones_like(s.Value));

        var missing = Stored();
        missing.Remove("gain.exp_avg_sq");
        Assert.Contains("gain.exp_avg_sq", Assert.Throws<InvalidDataException>(() => adam.Load(missing)).Message);
        var other = Stored();
        other["w.exp_avg"] = ones(2, dtype: ScalarType.Float64);
        Assert.Contains("w.exp_avg", Assert.Throws<InvalidDataException>(() => adam.Load(other)).Message);
        var steps = Stored();
        steps["gain.step"] = tensor(7f);
        Assert.Contains("1, 7", Assert.Throws<InvalidDataException>(() => adam.Load(steps)).Message);
        Assert.All(adam.State(), s => Assert.Equal(0f, s.Value.sum().item<float>()));
    }

    [Fact]
    public void Nothing_to_optimise_is_no_error()
    {
        using var adam = new AdamW([], [], new AdamWOptions());
        adam.Step(0.1);
        Assert.Empty(adam.State());
        adam.Load(new Dictionary<string, Tensor>());
    }

    [Fact]
    public void Settings_out_of_range_are_named()
    {
        Assert.Contains("Beta1", Assert.Throws<ArgumentOutOfRangeException>(() => new AdamWOptions { Beta1 = 1 }.Validated()).Message);
        Assert.Contains(
            "Beta2",
            Assert.Throws<ArgumentOutOfRangeException>(() => new AdamWOptions { Beta2 = double.NaN }.Validated()).Message
        );
        Assert.Contains("Epsilon", Assert.Throws<ArgumentOutOfRangeException>(() => new AdamWOptions { Epsilon = 0 }.Validated()).Message);
        Assert.Contains(
            "WeightDecay",
            Assert.Throws<ArgumentOutOfRangeException>(() => new AdamWOptions { WeightDecay = -1 }.Validated()).Message
        );
    }

    private static ModelParameter Of(string name, int seed, params long[] shape) =>
        Of(name, randn(shape, generator: new Generator((ulong)seed)));

    private static ModelParameter Of(string name, Tensor value) => new(name, new Parameter(value), ParameterRole.Vector, default, []);
}

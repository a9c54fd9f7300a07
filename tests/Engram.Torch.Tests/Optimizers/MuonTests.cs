using Engram.Torch.Layers;
using Engram.Training.Optimizers;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Engram.Torch.Tests.Optimizers;

public class MuonTests
{
    [Fact]
    public void One_update_of_a_two_by_two_matrix_by_hand()
    {
        // The gradient 3·I is normalised to I/√2; five rounds take 1/√2 to o; κ = 0.2·√2.
        using var scope = NewDisposeScope();
        var parameter = Of(eye(2, dtype: ScalarType.Float64));
        Give(parameter, eye(2, dtype: ScalarType.Float64) * 3);
        using var muon = new Muon([parameter], new MuonOptions());
        muon.Step(0.1);
        var o = 1 / Math.Sqrt(2);
        for (var i = 0; i < 5; i++)
            o = 3.4445 * o - 4.7750 * o * o * o + 2.0315 * Math.Pow(o, 5);
        var expected = 1 * (1 - 0.1 * 0.1) - 0.1 * 0.2 * Math.Sqrt(2) * o;
        Assert.Equal([expected, 0, 0, expected], Values(parameter), (a, b) => Math.Abs(a - b) < 1e-6);
    }

    [Fact]
    public void Mean_form_equals_a_sum_form_reference_on_several_steps()
    {
        // The reference (momentum as a sum, Moonlight's form) is written matrix by matrix in double precision.
        using var scope = NewDisposeScope();
        var options = new MuonOptions { NewtonSchulz = NewtonSchulz.Jordan };
        (int Rows, int Columns)[] shapes = [(4, 12), (12, 4), (6, 6), (4, 12)];
        var parameters = shapes.Select((s, i) => Of(Noise(10 + i, s.Rows, s.Columns), $"p{i}")).ToArray();
        var references = parameters.Select(p => p.Tensor.detach().clone()).ToArray();
        var sums = references.Select(r => zeros_like(r)).ToArray();
        using var muon = new Muon(parameters, options);
        for (var step = 0; step < 6; step++)
        {
            var rate = 0.02 / (step + 1);
            for (var i = 0; i < parameters.Length; i++)
            {
                var gradient = Noise(100 * step + i, shapes[i].Rows, shapes[i].Columns);
                Give(parameters[i], gradient);
                sums[i].mul_(options.Momentum).add_(gradient);
                var direction = Orthogonal(gradient + sums[i] * options.Momentum);
                references[i]
                    .mul_(1 - rate * options.WeightDecay)
                    .sub_(direction * (rate * options.RmsFactor * Math.Sqrt(Math.Max(shapes[i].Rows, shapes[i].Columns))));
            }
            muon.Step(rate);
        }
        for (var i = 0; i < parameters.Length; i++)
            Assert.True((parameters[i].Tensor - references[i]).abs().max().item<double>() < 1e-6, $"parameter {i}");
    }

    [Fact]
    public void Without_nesterov_the_direction_is_the_momentum()
    {
        using var scope = NewDisposeScope();
        var parameter = Of(zeros(3, 5, dtype: ScalarType.Float64));
        using var muon = new Muon([parameter], new MuonOptions { Nesterov = false, WeightDecay = 0 });
        var (first, second) = (Noise(1, 3, 5), Noise(2, 3, 5));
        Give(parameter, first);
        muon.Step(0);
        Give(parameter, second);
        muon.Step(1);
        var expected = Orthogonal(first * 0.95 + second) * -0.2 * Math.Sqrt(5);
        Assert.True((parameter.Tensor - expected).abs().max().item<double>() < 1e-6);
    }

    [Fact]
    public void Row_blocks_and_stacks_equal_separate_matrices()
    {
        using var scope = NewDisposeScope();
        var whole = Noise(1, 3 * 14, 6).reshape(3, 14, 6);
        var gradient = Noise(2, 3 * 14, 6).reshape(3, 14, 6);
        int[] blocks = [2, 2, 10];
        var stacked = Of(whole.clone(), "stacked", blocks);
        Give(stacked, gradient);

        var separate = new List<(ModelParameter Parameter, int Matrix, int Start)>();
        for (var matrix = 0; matrix < 3; matrix++)
        for (int b = 0, start = 0; b < blocks.Length; start += blocks[b++])
        {
            var part = Of(whole[matrix].narrow(0, start, blocks[b]).clone(), $"{matrix}.{b}");
            Give(part, gradient[matrix].narrow(0, start, blocks[b]).clone());
            separate.Add((part, matrix, start));
        }

        using var one = new Muon([stacked], new MuonOptions());
        using var many = new Muon([.. separate.Select(s => s.Parameter)], new MuonOptions());
        for (var step = 0; step < 3; step++)
        {
            one.Step(0.01);
            many.Step(0.01);
        }
        foreach (var (parameter, matrix, start) in separate)
        {
            var part = stacked.Tensor[matrix].narrow(0, start, parameter.Tensor.size(0));
            Assert.True((part - parameter.Tensor).abs().max().item<double>() < 1e-12);
        }
    }

    [Fact]
    public void Equal_row_blocks_of_a_stack_are_matrices_of_their_own()
    {
        using var scope = NewDisposeScope();
        var start = zeros(2, 8, 5, dtype: ScalarType.Float64);
        var parameter = Of(start, "experts", [4, 4]);
        var gradient = Noise(4, 16, 5).reshape(2, 8, 5);
        Give(parameter, gradient);
        using var muon = new Muon([parameter], new MuonOptions { WeightDecay = 0 });
        muon.Step(1);
        for (var e = 0; e < 2; e++)
        for (var b = 0; b < 2; b++)
        {
            var expected = Orthogonal(gradient[e].narrow(0, 4 * b, 4)) * -0.2 * Math.Sqrt(5);
            Assert.True((parameter.Tensor[e].narrow(0, 4 * b, 4) - expected).abs().max().item<double>() < 1e-6);
        }
    }

    [Theory]
    [InlineData(64, 64), InlineData(128, 32), InlineData(32, 128)]
    public void The_update_has_the_rms_of_an_adam_update(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var parameter = Of(zeros(rows, columns));
        Give(parameter, randn(rows, columns, generator: new Generator(1)));
        using var muon = new Muon([parameter], new MuonOptions());
        muon.Step(1);
        Assert.InRange(parameter.Tensor.square().mean().sqrt().item<float>(), 0.16f, 0.24f);
    }

    [Theory]
    [InlineData(64, 16, 2.0), InlineData(16, 64, 1.0)]
    public void Jordans_scaling_follows_the_aspect_ratio(int rows, int columns, double scale) =>
        Assert.Equal(scale, new MuonOptions { Scaling = MuonScaling.Jordan }.Scale(rows, columns), 12);

    [Fact]
    public void A_zero_gradient_is_a_pure_decay_step()
    {
        using var scope = NewDisposeScope();
        var parameter = Of(ones(4, 6));
        Give(parameter, zeros(4, 6));
        using var muon = new Muon([parameter], new MuonOptions());
        muon.Step(0.5);
        Assert.All(parameter.Tensor.data<float>().ToArray(), value => Assert.Equal(0.95f, value, 6));
    }

    /// <summary>Few matrices go through the script, many small ones through the kernel.</summary>
    [Theory]
    [InlineData(1), InlineData(12)]
    public void What_is_rounding_beside_all_gradients_moves_no_matrix(int matrices)
    {
        using var scope = NewDisposeScope();
        // The direction of a first update is 0.0975 of its gradient; here its largest entry is its norm, over √size.
        var flat = ones(matrices, 4, 6) / Math.Sqrt(24) / (1 - 0.95 * 0.95);
        foreach (var (share, moves) in new[] { (Muon.LeastShare * 0.99, false), (Muon.LeastShare * 1.01, true), (0.0, false) })
        foreach (var size in new[] { 1e-12, 1, 1e6 })
        {
            var parameter = Of(ones(matrices, 4, 6));
            Give(parameter, flat * (share * size));
            using var muon = new Muon([parameter], new MuonOptions());
            muon.Step(0.5, gradientNorm: size);
            Assert.Equal(!moves, parameter.Tensor.data<float>().ToArray().All(value => value == 0.95f));
        }
    }

    [Theory]
    [InlineData(1), InlineData(12)]
    public void The_scale_of_all_gradients_changes_no_update(int matrices)
    {
        using var scope = NewDisposeScope();
        Tensor Moved(double scale)
        {
            var parameter = Of(zeros(matrices, 8, 12));
            using var muon = new Muon([parameter], new MuonOptions());
            for (var step = 0; step < 3; step++)
            {
                var gradient = randn(matrices, 8, 12, generator: new Generator((ulong)step)) * Math.Pow(2, -20);
                Give(parameter, gradient * scale);
                muon.Step(0.1, gradientNorm: scale);
            }
            return parameter.Tensor.detach();
        }

        var one = Moved(1);
        Assert.True(one.abs().max().item<float>() > 0.01f);
        foreach (var scale in new[] { 1e-12, 1e-6, 1e6 })
            Assert.True((Moved(scale) - one).abs().max().item<float>() < 1e-5f, $"{scale}");
    }

    [Fact]
    public void A_restored_run_continues_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        ModelParameter[] Start() =>
            [
                Of(randn(2, 14, 6, generator: new Generator(1)), "experts", [2, 2, 10]),
                Of(randn(6, 14, generator: new Generator(2)), "o"),
                Of(randn(9, 6, 6, generator: new Generator(3)), "gate_up", [3, 3]),
            ];
        static void Run(ModelParameter[] parameters, Muon muon, int from, int to)
        {
            for (var step = from; step < to; step++)
            {
                for (var i = 0; i < parameters.Length; i++)
                    Give(parameters[i], randn(parameters[i].Tensor.shape, generator: new Generator((ulong)(100 * step + i))));
                muon.Step(0.01);
            }
        }

        var uninterrupted = Start();
        using var first = new Muon(uninterrupted, new MuonOptions());
        Run(uninterrupted, first, 0, 10);

        var before = Start();
        using var second = new Muon(before, new MuonOptions());
        Run(before, second, 0, 5);
        var state = second.State().ToDictionary(s => s.Name, s => s.Value.clone());
        Assert.Equal(["experts.momentum", "gate_up.momentum", "o.momentum"], state.Keys.Order());
        ModelParameter[] after = [.. before.Select(p => Of(p.Tensor.detach().clone(), p.Name, [.. p.RowBlocks]))];
        using var third = new Muon(after, new MuonOptions());
        third.Load(state);
        Run(after, third, 5, 10);

        for (var i = 0; i < after.Length; i++)
            Assert.True(uninterrupted[i].Tensor.bytes.SequenceEqual(after[i].Tensor.bytes), after[i].Name);
    }

    [Fact]
    public void A_state_that_does_not_fit_is_named_and_changes_nothing()
    {
        using var scope = NewDisposeScope();
        ModelParameter[] parameters = [Of(ones(2, 3), "a"), Of(ones(2, 3), "b")];
        foreach (var parameter in parameters)
            Give(parameter, ones(2, 3));
        using var muon = new Muon(parameters, new MuonOptions());
        muon.Step(0.1);
        var before = muon.State()[0].Value.clone();

        var missing = Assert.Throws<InvalidDataException>(() => muon.Load(new Dictionary<string, Tensor> { ["a.momentum"] = zeros(2, 3) }));
        Assert.Contains("b.momentum", missing.Message);
        var shape = Assert.Throws<InvalidDataException>(() =>
            muon.Load(new Dictionary<string, Tensor> { ["a.momentum"] = zeros(2, 3), ["b.momentum"] = zeros(3, 2) })
        );
        Assert.Contains("[3, 2]", shape.Message);
        Assert.True(before.bytes.SequenceEqual(muon.State()[0].Value.bytes));
    }

    [Fact]
    public void What_is_no_matrix_is_refused_by_name()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("'gain'", Assert.Throws<ArgumentException>(() => new Muon([Of(ones(4), "gain")], new MuonOptions())).Message);
        Assert.Contains(
            "2 + 3",
            Assert.Throws<ArgumentException>(() => new Muon([Of(ones(4, 4), "fn", [2, 3])], new MuonOptions())).Message
        );
        Assert.Contains(
            "contiguous",
            Assert.Throws<ArgumentException>(() => new Muon([Of(ones(4, 3).t(), "t")], new MuonOptions())).Message
        );
        using var muon = new Muon([Of(ones(4, 4), "unused")], new MuonOptions());
        Assert.Contains("'unused'", Assert.Throws<InvalidOperationException>(() => muon.Step(0.1)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new MuonOptions { Momentum = 1 }.Validated());
        Assert.Throws<ArgumentOutOfRangeException>(() => new MuonOptions { RmsFactor = double.NaN }.Validated());
    }

    private static ModelParameter Of(Tensor value, string name = "p", params int[] blocks) =>
        new(name, new Parameter(value), ParameterRole.Matrix, default, blocks);

    private static void Give(ModelParameter parameter, Tensor gradient) => parameter.Tensor.grad = gradient;

    private static Tensor Noise(int seed, int rows, int columns) =>
        randn(rows, columns, dtype: ScalarType.Float64, generator: new Generator((ulong)seed));

    private static double[] Values(ModelParameter parameter) => parameter.Tensor.detach().data<double>().ToArray();

    /// <summary>The iteration written plainly, one matrix at a time.</summary>
    private static Tensor Orthogonal(Tensor g)
    {
        var tall = g.size(0) > g.size(1);
        var x = (tall ? g.t() : g) / (g.norm() + 1e-7);
        for (var i = 0; i < 5; i++)
        {
            var a = x.matmul(x.t());
            x = x * 3.4445 + (a * -4.7750 + a.matmul(a) * 2.0315).matmul(x);
        }
        return tall ? x.t() : x;
    }
}

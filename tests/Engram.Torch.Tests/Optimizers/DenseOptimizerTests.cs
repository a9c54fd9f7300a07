using Engram.Models.Configuration;
using Engram.Models.Recipes;
using Engram.Torch.Layers;
using Engram.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Optimizers;

public class DenseOptimizerTests
{
    [Fact]
    public void A_whole_model_restored_continues_bit_for_bit()
    {
        using var uninterrupted = Model();
        using (var optimizer = new DenseOptimizer(uninterrupted.Parameters.All, new DenseOptimizerOptions()))
            Run(uninterrupted, optimizer, 0, 6);

        using var before = Model();
        using var first = new DenseOptimizer(before.Parameters.All, new DenseOptimizerOptions());
        Run(before, first, 0, 3);
        using var after = Model();
        using (no_grad())
            foreach (var parameter in after.Parameters.All)
                parameter.Tensor.copy_(before.Parameters[parameter.Name].Tensor);
        using var second = new DenseOptimizer(after.Parameters.All, new DenseOptimizerOptions());
        var state = first.State().ToDictionary(s => s.Name, s => s.Value);
        second.Load(state);
        foreach (var value in state.Values)
            value.Dispose();
        Run(after, second, 3, 6);

        foreach (var parameter in after.Parameters.All)
            Assert.True(uninterrupted.Parameters[parameter.Name].Tensor.bytes.SequenceEqual(parameter.Tensor.bytes), parameter.Name);
    }

    [Fact]
    public void The_state_covers_every_parameter_in_its_own_shape()
    {
        using var model = Model();
        using var optimizer = new DenseOptimizer(model.Parameters.All, new DenseOptimizerOptions());
        using var scope = NewDisposeScope();
        var state = optimizer.State().ToDictionary(s => s.Name, s => s.Value);
        foreach (var parameter in model.Parameters.All)
        {
            string[] states = parameter.Role == ParameterRole.Matrix ? ["momentum"] : ["exp_avg", "exp_avg_sq"];
            foreach (var name in states)
                Assert.Equal(parameter.Tensor.shape, state[$"{parameter.Name}.{name}"].shape);
        }
    }

    [Fact]
    public void Steps_leave_no_tensors_behind()
    {
        using var model = Model();
        using var optimizer = new DenseOptimizer(model.Parameters.All, new DenseOptimizerOptions());
        Run(model, optimizer, 0, 2);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Run(model, optimizer, 2, 10);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void An_optimizer_made_inside_a_scope_outlives_it()
    {
        using var model = Model();
        DenseOptimizer optimizer;
        using (NewDisposeScope())
            optimizer = new DenseOptimizer(model.Parameters.All, new DenseOptimizerOptions());
        using (optimizer)
            Run(model, optimizer, 0, 2);
    }

    [Fact]
    public void The_state_of_another_model_is_refused_and_changes_nothing()
    {
        using var model = Model();
        using var optimizer = new DenseOptimizer(model.Parameters.All, new DenseOptimizerOptions());
        Run(model, optimizer, 0, 1);
        using var scope = NewDisposeScope();
        var before = optimizer.State().ToDictionary(s => s.Name, s => s.Value.clone());

        var other = before.ToDictionary(s => s.Key, s => zeros_like(s.Value));
        other["model.layers.9.self_attn.q_proj.weight.momentum"] = zeros(1);
        other.Remove("model.norm.weight.exp_avg");
        var names = Assert.Throws<InvalidDataException>(() => optimizer.Load(other)).Message;
        Assert.Contains("missing model.norm.weight.exp_avg", names);
        Assert.Contains("superfluous model.layers.9", names);

        var steps = before.ToDictionary(s => s.Key, s => zeros_like(s.Value));
        steps["model.norm.weight.step"] = tensor(3f);
        Assert.Throws<InvalidDataException>(() => optimizer.Load(steps));

        foreach (var (name, value) in optimizer.State())
            Assert.True(before[name].bytes.SequenceEqual(value.bytes), name);
    }

    [Theory]
    [InlineData(double.NaN), InlineData(-1e-3), InlineData(double.PositiveInfinity)]
    public void A_learning_rate_that_would_spoil_the_model_is_refused(double rate)
    {
        using var model = Model();
        using var optimizer = new DenseOptimizer(model.Parameters.All, new DenseOptimizerOptions());
        Assert.Throws<ArgumentOutOfRangeException>(() => optimizer.Step(rate));
        using var adamAlone = new DenseOptimizer(model.Parameters.All, new DenseOptimizerOptions { Matrices = MatrixOptimizer.AdamW });
        Assert.Throws<ArgumentOutOfRangeException>(() => adamAlone.Step(rate));
    }

    [Fact]
    public void Cleared_gradients_are_gone()
    {
        using var model = Model();
        using var optimizer = new DenseOptimizer(model.Parameters.All, new DenseOptimizerOptions());
        Run(model, optimizer, 0, 1);
        optimizer.ClearGradients();
        Assert.All(optimizer.Parameters, p => Assert.Null(p.Tensor.grad));
        Assert.Throws<InvalidOperationException>(() => optimizer.Step(0.1));
    }

    private static EngramTransformer Model()
    {
        var model = new EngramTransformer(Presets.Load("tiny-engram"));
        model.Parameters.Initialize(1);
        return model;
    }

    /// <summary>Clipped updates with gradients that depend on the step and the parameter alone.</summary>
    private static void Run(EngramTransformer model, DenseOptimizer optimizer, int from, int to)
    {
        for (var step = from; step < to; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            for (var i = 0; i < model.Parameters.All.Count; i++)
            {
                var tensor = model.Parameters.All[i].Tensor;
                using var generator = new Generator((ulong)(1000 * step + i));
                (tensor * randn(tensor.shape, generator: generator)).sum().backward();
            }
            GradientClipping.Apply(optimizer.Parameters, 1);
            optimizer.Step(1e-3);
        }
    }
}

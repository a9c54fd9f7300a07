using Engram.Models.Recipes;
using Engram.Torch.Layers;
using static TorchSharp.torch;

namespace Engram.Training.Optimizers;

/// <summary>Settings of <see cref="DenseOptimizer"/>.</summary>
public sealed record DenseOptimizerOptions
{
    /// <summary>Rule of the hidden matrices.</summary>
    /// <value>Default Muon (paper, Table 5).</value>
    public MatrixOptimizer Matrices { get; init; } = MatrixOptimizer.Muon;

    /// <summary>Rule of the expert routers.</summary>
    /// <value>Default Muon, like every other matrix.</value>
    public MatrixOptimizer Router { get; init; } = MatrixOptimizer.Muon;

    /// <summary>Settings of Muon.</summary>
    public MuonOptions Muon { get; init; } = new();

    /// <summary>Settings of AdamW.</summary>
    public AdamWOptions AdamW { get; init; } = new();
}

/// <summary>
/// Updates all dense parameters of a model: Muon for the matrices, AdamW for the rest. The tables have an optimizer of their own.
/// </summary>
public sealed class DenseOptimizer : IDisposable
{
    private readonly Muon _muon;
    private readonly AdamW _adamW;

    /// <summary>Starts with an empty state.</summary>
    /// <param name="parameters">The dense parameters of a model on their final device; frozen ones are left alone.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ArgumentException">A parameter fits no group, or a setting is out of range.</exception>
    public DenseOptimizer(IReadOnlyList<ModelParameter> parameters, DenseOptimizerOptions options)
    {
        Groups = ParameterGroups.Of(parameters, options.Matrices, options.Router);
        Parameters = [.. Groups.Muon, .. Groups.Decayed, .. Groups.Undecayed];
        _muon = new Muon(Groups.Muon, options.Muon);
        _adamW = new AdamW(Groups.Decayed, Groups.Undecayed, options.AdamW);
    }

    /// <summary>Which rule each parameter has.</summary>
    public ParameterGroups Groups { get; }

    /// <summary>Every parameter that is updated; what <see cref="GradientClipping.Apply"/> wants.</summary>
    public IReadOnlyList<ModelParameter> Parameters { get; }

    /// <summary>Updates every parameter in place with the gradient it holds.</summary>
    /// <param name="learningRate">Step size of this update.</param>
    /// <param name="gradientNorm">
    /// Norm of all gradients of the model together, as they are now: what is rounding beside it moves no matrix. 0 leaves no matrix out.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative or not finite.</exception>
    /// <exception cref="InvalidOperationException">A parameter has no gradient.</exception>
    public void Step(double learningRate, double gradientNorm = 0)
    {
        _muon.Step(learningRate, gradientNorm);
        _adamW.Step(learningRate);
    }

    /// <summary>Drops all gradients, so that the next backward pass starts from none.</summary>
    public void ClearGradients()
    {
        foreach (var parameter in Parameters)
            parameter.Tensor.grad = null;
    }

    /// <summary>
    /// The state as <c>parameter.state</c>: momentum of matrices; exp_avg, exp_avg_sq and step of the rest. The handles belong to the
    /// caller; values may be live, so store them before the next update.
    /// </summary>
    public IReadOnlyList<(string Name, Tensor Value)> State() => [.. _muon.State(), .. _adamW.State()];

    /// <summary>
    /// Takes over a state that <see cref="State"/> gave; what follows is bit-identical to a run that was never interrupted.
    /// </summary>
    /// <param name="state">Tensors by name.</param>
    /// <exception cref="InvalidDataException">
    /// A tensor is missing, superfluous, or has another shape or type. Nothing is changed then.
    /// </exception>
    public void Load(IReadOnlyDictionary<string, Tensor> state)
    {
        var own = State();
        try
        {
            OptimizerState.RequireSameNames(own.Select(s => s.Name), state.Keys);
            foreach (var (name, value) in own)
                OptimizerState.Find(state, name, value);
        }
        finally
        {
            foreach (var (_, value) in own)
                value.Dispose();
        }
        _adamW.Load(state); // may still refuse the step counts, so it goes first
        _muon.Load(state);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _muon.Dispose();
        _adamW.Dispose();
    }
}

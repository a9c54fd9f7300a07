using Engram.Torch.Layers;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Training.Optimizers;

/// <summary>Settings of <see cref="AdamW"/>.</summary>
public sealed record AdamWOptions
{
    /// <summary>Decay of the running mean of gradients.</summary>
    /// <value>In [0, 1). Default 0.9.</value>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the running mean of squared gradients.</summary>
    /// <value>In [0, 1). Default 0.95.</value>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the bias-corrected second moment.</summary>
    /// <value>
    /// Positive. Default 1e-20 (the published setting of the sibling mHC model): larger values drown the gradients of a mean over many
    /// tokens.
    /// </value>
    public double Epsilon { get; init; } = 1e-20;

    /// <summary>Decoupled weight decay of the decayed parameters: each update multiplies them by 1 − learning rate × this.</summary>
    /// <value>At least 0. Default 0.1.</value>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Returns this instance, or throws naming the value out of range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public AdamWOptions Validated()
    {
        Require.Fraction(Beta1);
        Require.Fraction(Beta2);
        Require.Positive(Epsilon);
        Require.NotNegative(WeightDecay);
        return this;
    }
}

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter) in its standard form with bias correction, fused: one native call per group.
/// </summary>
public sealed class AdamW : IDisposable
{
    private readonly AdamWOptions _options;
    private readonly Group _decayed;
    private readonly Group _undecayed;
    private readonly Tensor? _step;

    /// <summary>Starts with zero moments.</summary>
    /// <param name="decayed">Parameters with weight decay.</param>
    /// <param name="undecayed">Parameters without: gains, biases, scales.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of range.</exception>
    public AdamW(IReadOnlyList<ModelParameter> decayed, IReadOnlyList<ModelParameter> undecayed, AdamWOptions options)
    {
        _options = options.Validated();
        _decayed = new Group(decayed);
        _undecayed = new Group(undecayed);
        if (decayed.Concat(undecayed).FirstOrDefault() is { } any)
            _step = zeros([], ScalarType.Float32, any.Tensor.device).DetachFromDisposeScope();
    }

    /// <summary>Updates every parameter with the gradient it holds.</summary>
    /// <param name="learningRate">Step size of this update.</param>
    /// <exception cref="ArgumentOutOfRangeException">The learning rate is negative or not finite.</exception>
    /// <exception cref="InvalidOperationException">A parameter has no gradient.</exception>
    public void Step(double learningRate)
    {
        Require.NotNegative(learningRate);
        if (_step is null)
            return;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (gradients, undecayedGradients) = (_decayed.Gradients(), _undecayed.Gradients());
        _step.Increment();
        Update(_decayed, gradients, _options.WeightDecay);
        Update(_undecayed, undecayedGradients, 0);

        void Update(Group group, Tensor[] gradients, double decay)
        {
            if (gradients.Length > 0)
                TorchScript.AdamW(
                    group.Values,
                    gradients,
                    group.Means,
                    group.Squares,
                    _step,
                    learningRate,
                    _options.Beta1,
                    _options.Beta2,
                    decay,
                    _options.Epsilon
                );
        }
    }

    /// <summary>
    /// The state: <c>name.exp_avg</c> and <c>name.exp_avg_sq</c> of each parameter's shape, <c>name.step</c> a float32 scalar, the number
    /// of updates. The handles belong to the caller; values are live, so store them before the next update.
    /// </summary>
    public IReadOnlyList<(string Name, Tensor Value)> State() => [.. Own().Select(own => (own.Name, own.Value.alias()))];

    /// <summary>
    /// Takes over a state that <see cref="State"/> gave; what follows is bit-identical to a run that was never interrupted.
    /// </summary>
    /// <param name="state">Tensors by name; names of other optimizers are ignored.</param>
    /// <exception cref="InvalidDataException">
    /// A tensor is missing, has another shape or type, or the step counts differ. Nothing is changed then.
    /// </exception>
    public void Load(IReadOnlyDictionary<string, Tensor> state)
    {
        using var noGrad = no_grad();
        var pairs = Own().Select(own => (Own: own.Value, Stored: OptimizerState.Find(state, own.Name, own.Value))).ToList();
        var steps = pairs.Where(pair => ReferenceEquals(pair.Own, _step)).Select(pair => pair.Stored.item<float>()).Distinct().ToList();
        if (steps.Count > 1)
            throw new InvalidDataException(
                $"Optimizer state holds different step counts ({string.Join(", ", steps)}) for parameters that are updated " + "together."
            );
        foreach (var (own, stored) in pairs)
            own.copy_(stored);
    }

    private IEnumerable<(string Name, Tensor Value)> Own()
    {
        foreach (var group in (Group[])[_decayed, _undecayed])
            for (var i = 0; i < group.Parameters.Count; i++)
            {
                var name = group.Parameters[i].Name;
                yield return ($"{name}.exp_avg", group.Means[i]);
                yield return ($"{name}.exp_avg_sq", group.Squares[i]);
                yield return ($"{name}.step", _step!);
            }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _decayed.Dispose();
        _undecayed.Dispose();
        _step?.Dispose();
    }

    private sealed class Group(IReadOnlyList<ModelParameter> parameters) : IDisposable
    {
        public IReadOnlyList<ModelParameter> Parameters { get; } = parameters;
        public Tensor[] Values { get; } = [.. parameters.Select(p => (Tensor)p.Tensor)];
        public Tensor[] Means { get; } = [.. parameters.Select(p => zeros_like(p.Tensor, requires_grad: false).DetachFromDisposeScope())];
        public Tensor[] Squares { get; } = [.. parameters.Select(p => zeros_like(p.Tensor, requires_grad: false).DetachFromDisposeScope())];

        public Tensor[] Gradients() => [.. Parameters.Select(p => p.Gradient())];

        public void Dispose()
        {
            foreach (var tensor in Means.Concat(Squares))
                tensor.Dispose();
        }
    }
}

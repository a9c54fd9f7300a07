using Engram.Models.Configuration;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

/// <summary>What an optimizer does with a parameter.</summary>
public enum ParameterRole
{
    /// <summary>A hidden matrix, or a stack of them: Muon.</summary>
    Matrix,

    /// <summary>Token embedding or output head: AdamW with weight decay.</summary>
    Vocabulary,

    /// <summary>Gains, biases, scales and convolution taps: AdamW without weight decay.</summary>
    Vector,
}

/// <summary>The distribution a parameter starts from.</summary>
/// <param name="Std">Standard deviation of a centred normal distribution; 0 for the constant forms.</param>
/// <param name="Values">Constant values: one for all elements, or one per element in row-major order; empty for the normal form.</param>
public readonly record struct InitialValue(double Std, float[] Values)
{
    /// <summary>Normal with mean 0 and the given standard deviation.</summary>
    public static InitialValue Normal(double std) => new(std, []);

    /// <summary>The same constant everywhere.</summary>
    public static InitialValue Constant(float value) => new(0, [value]);

    /// <summary>One given value per element, row-major.</summary>
    public static InitialValue PerElement(float[] values) => new(0, values);
}

/// <summary>One dense parameter of a model. Tables are not among them: they live outside the autograd graph.</summary>
/// <param name="Name">Name in checkpoints, for example <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Tensor">The values; requires a gradient.</param>
/// <param name="Role">Decides the optimizer.</param>
/// <param name="Initial">Where the values start.</param>
/// <param name="RowBlocks">
/// Row counts of the logical matrices stacked along the rows, or empty when the tensor is one matrix (or a 3-D stack of them).
/// </param>
public sealed record ModelParameter(string Name, Parameter Tensor, ParameterRole Role, InitialValue Initial, IReadOnlyList<int> RowBlocks);

/// <summary>
/// All dense parameters of one model under their checkpoint names, in construction order. The layers register here, so that names, starting
/// values and optimizer roles are stated once, beside the layer that uses them.
/// </summary>
public sealed class ModelParameters
{
    private readonly Dictionary<string, ModelParameter> _byName = new(StringComparer.Ordinal);
    private readonly List<ModelParameter> _all = [];

    internal ModelParameters(Device device, ScalarType type)
    {
        Device = device;
        Type = type;
    }

    /// <summary>Device of every parameter.</summary>
    public Device Device { get; }

    /// <summary>Element type of every parameter: float32, or float64 in reference computations.</summary>
    public ScalarType Type { get; }

    /// <summary>The parameters in construction order.</summary>
    public IReadOnlyList<ModelParameter> All => _all;

    /// <summary>The parameter of a name.</summary>
    /// <exception cref="KeyNotFoundException">No such parameter.</exception>
    public ModelParameter this[string name] =>
        _byName.TryGetValue(name, out var found) ? found : throw new KeyNotFoundException($"The model has no parameter '{name}'.");

    /// <summary>Number of values in all dense parameters.</summary>
    public long Count => _all.Sum(p => p.Tensor.numel());

    internal Parameter Add(string name, long[] shape, ParameterRole role, InitialValue initial, params int[] rowBlocks)
    {
        var tensor = new Parameter(empty(shape, dtype: Type, device: Device)).DetachFromDisposeScope();
        var parameter = new ModelParameter(name, (Parameter)tensor, role, initial, rowBlocks);
        _byName.Add(name, parameter);
        _all.Add(parameter);
        return parameter.Tensor;
    }

    /// <summary>
    /// Gives every parameter its starting value. Each draws from a generator of its own, seeded by (seed, name), so neither the order of
    /// construction nor the presence of other parameters changes a value.
    /// <list type="table">
    /// <listheader><term>parameters</term><description>distribution (backbone initialisation; memory: convolution zero, paper
    /// §4.1)</description></listheader>
    /// <item><term>embeddings, head, projections, experts, router</term><description>N(0, initializer_range²)</description></item>
    /// <item><term>RMSNorm gains, memory query and key gains</term><description>1</description></item>
    /// <item><term>memory convolution taps</term><description>0</description></item>
    /// <item><term>hyper-connection fn; scale; base</term><description>0; 0.01; pre ±1, post 0, comb 0 on and −8 off the
    /// diagonal</description></item>
    /// </list>
    /// </summary>
    public void Initialize(long seed)
    {
        using var noGrad = no_grad();
        foreach (var parameter in _all)
        {
            using var scope = NewDisposeScope();
            var shape = parameter.Tensor.shape;
            var values = parameter.Initial.Values;
            if (values.Length == 1)
                parameter.Tensor.Fill(values[0]);
            else if (values.Length > 1)
                parameter.Tensor.copy_(tensor(values, shape));
            else
            {
                using var generator = new Generator(StartingSeed.For(seed, parameter.Name), CPU);
                parameter.Tensor.copy_(randn(shape, generator: generator).Times(parameter.Initial.Std));
            }
        }
    }
}

using Engram.Models.Configuration;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: B sequences   T positions   n streams   D hidden width

/// <summary>
/// Behind the last block: x = Σ_m w_m X_m, where w = sigmoid(scale · z + base) + ε and z is a linear map of all streams normalised together
/// (DeepSeek-V4). It starts with equal weights, which behind the final norm is the mean.
/// </summary>
internal sealed class StreamHead
{
    private readonly double _epsilon;
    private readonly double _normEpsilon;
    private readonly Parameter _fn;
    private readonly Parameter _base;
    private readonly Parameter _scale;

    /// <summary>Registers <c>{prefix}_fn</c>, <c>_base</c> and <c>_scale</c>.</summary>
    public StreamHead(ModelConfiguration configuration, string prefix, ModelParameters parameters)
    {
        var n = configuration.HcMult;
        (_epsilon, _normEpsilon) = (configuration.HcEps, configuration.RmsNormEps);
        _fn = parameters.Add($"{prefix}_fn", [n, n * configuration.HiddenSize], ParameterRole.Matrix, InitialValue.Constant(0));
        _base = parameters.Add($"{prefix}_base", [n], ParameterRole.Vector, InitialValue.Constant(0));
        _scale = parameters.Add($"{prefix}_scale", [1], ParameterRole.Vector, InitialValue.Constant(0.01f));
    }

    /// <summary>Streams [B, T, n, D] → [B, T, D].</summary>
    public Tensor Forward(Tensor streams)
    {
        var z = nn.functional.linear(RmsNorm.Unit(streams.flatten(2), _normEpsilon), _fn);
        var weights = (z * _scale).Plus(_base).sigmoid().Plus(_epsilon); // [B, T, n]
        return (weights.unsqueeze(-1) * streams).sum(2);
    }
}

using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: N tokens   n streams   D hidden width   C = 2n + n² coefficients

/// <summary>
/// Hyper-connection of one sub-layer whose weights nothing constrains (arXiv 2409.19606, dynamic form): each stream, normalised by itself,
/// adds s · tanh(W x̄) to static weights for reading it, writing to it and mixing it into the others. It starts as the plain pre-norm
/// network.
/// </summary>
internal sealed class FreeHyperConnection : StreamConnection
{
    private readonly int _streams;
    private readonly double _normEpsilon;
    private readonly Parameter _fn;
    private readonly Parameter _base;
    private readonly Parameter _scale;

    /// <summary>
    /// Registers the coefficient map of running sub-layer <paramref name="index"/> under <c>{prefix}_fn</c>, <c>_base</c> and
    /// <c>_scale</c>.
    /// </summary>
    public FreeHyperConnection(ModelConfiguration configuration, string prefix, int index, ModelParameters parameters)
    {
        (_streams, _normEpsilon) = (configuration.HcMult, configuration.RmsNormEps);
        // Rows of fn: one to read, one to write, n to mix, by destination.
        _fn = parameters.Add(
            $"{prefix}_fn",
            [2 + _streams, configuration.HiddenSize],
            ParameterRole.Matrix,
            InitialValue.Constant(0),
            1,
            1,
            _streams
        );
        _base = parameters.Add(
            $"{prefix}_base",
            [Coefficients(_streams)],
            ParameterRole.Vector,
            InitialValue.PerElement(InitialBase(_streams, index))
        );
        _scale = parameters.Add($"{prefix}_scale", [2], ParameterRole.Vector, InitialValue.Constant(0.01f));
    }

    /// <summary>Reads stream k mod n alone, writes to all with weight 1, mixes nothing: equal streams stay equal.</summary>
    private static float[] InitialBase(int streams, int index)
    {
        var values = new float[Coefficients(streams)];
        values[index % streams] = 1;
        for (var m = 0; m < streams; m++)
            values[streams + m] = values[2 * streams + m * streams + m] = 1;
        return values;
    }

    /// <inheritdoc/>
    public override (Tensor Input, Tensor Coefficients) Read(Tensor streams)
    {
        var n = _streams;
        var dynamic = nn.functional.linear(RmsNorm.Unit(streams, _normEpsilon), _fn).tanh(); // [N, n, 2 + n]
        var (readMix, write) = (_scale.narrow(0, 0, 1), _scale.narrow(0, 1, 1));
        var coefficients = cat(
                [dynamic.select(2, 0) * readMix, dynamic.select(2, 1) * write, dynamic.narrow(2, 2, n).flatten(1) * readMix],
                1
            )
            .Plus(_base);
        var input = Fused.Or(
            streams,
            kernel: () => HyperConnectionReadKernel.Apply(streams, coefficients),
            twin: () => (coefficients.narrow(1, 0, n).unsqueeze(-1) * streams).sum(1)
        );
        return (input, coefficients);
    }
}

using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using Engram.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: N tokens   n streams   D hidden width   C = 2n + n² coefficients

/// <summary>
/// Manifold-constrained hyper-connection of one sub-layer (mHC): the sub-layer reads a mixture of the n residual streams, its output is
/// written back to each of them, and the streams are mixed by a matrix that Sinkhorn rounds make (nearly) doubly stochastic. All
/// coefficients are float32 and depend on the streams themselves.
/// </summary>
internal sealed class HyperConnection : StreamConnection
{
    private readonly int _streams;
    private readonly int _rounds;
    private readonly double _epsilon;
    private readonly double _normEpsilon;
    private readonly Parameter _fn;
    private readonly Parameter _base;
    private readonly Parameter _scale;

    /// <summary>
    /// Registers the coefficient map of running sub-layer <paramref name="index"/> under <c>{prefix}_fn</c>, <c>_base</c> and
    /// <c>_scale</c>.
    /// </summary>
    public HyperConnection(ModelConfiguration configuration, string prefix, int index, ModelParameters parameters)
    {
        (_streams, _rounds) = (configuration.HcMult, configuration.HcSinkhornIters);
        (_epsilon, _normEpsilon) = (configuration.HcEps, configuration.RmsNormEps);
        var (n, coefficients) = (_streams, Coefficients(_streams));
        _fn = parameters.Add(
            $"{prefix}_fn",
            [coefficients, n * configuration.HiddenSize],
            ParameterRole.Matrix,
            InitialValue.Constant(0),
            n,
            n,
            n * n
        );
        _base = parameters.Add($"{prefix}_base", [coefficients], ParameterRole.Vector, InitialValue.PerElement(InitialBase(n, index)));
        _scale = parameters.Add($"{prefix}_scale", [3], ParameterRole.Vector, InitialValue.Constant(0.01f));
    }

    /// <summary>
    /// Each sub-layer reads one stream (k mod n) most, writes to all with weight 1 and leaves the streams nearly unmixed, so that the
    /// initial function is the plain pre-norm network while the gradients of the streams differ.
    /// </summary>
    private static float[] InitialBase(int streams, int index)
    {
        var values = new float[Coefficients(streams)];
        for (var m = 0; m < streams; m++)
        {
            values[m] = m == index % streams ? 1 : -1;
            for (var k = 0; k < streams; k++)
                values[2 * streams + m * streams + k] = m == k ? 0 : -8;
        }

        return values;
    }

    /// <inheritdoc/>
    public override (Tensor Input, Tensor Coefficients) Read(Tensor streams) =>
        Fused.Or(
            streams,
            kernel: () =>
            {
                var coefficients = HyperConnectionCoefficientKernel.Apply(streams, _fn, _base, _scale, _rounds, _epsilon, _normEpsilon);
                return (HyperConnectionReadKernel.Apply(streams, coefficients), coefficients);
            },
            twin: () => ReadComposed(streams)
        );

    /// <summary>The twin of the kernels.</summary>
    public (Tensor Input, Tensor Coefficients) ReadComposed(Tensor streams)
    {
        var n = _streams;
        var flat = streams.flatten(1);
        var z = flat.matmul(_fn.t()) * flat.Squared().mean([-1L], keepdim: true).Plus(_normEpsilon).rsqrt();
        var w = (z * Expand(_scale, n)).Plus(_base);
        var pre = w.narrow(1, 0, n).sigmoid().Plus(_epsilon);
        var post = w.narrow(1, n, n).sigmoid().Times(2);
        var comb = Sinkhorn(w.narrow(1, 2 * n, n * n).view(-1, n, n), _rounds, _epsilon);
        return ((pre.unsqueeze(-1) * streams).sum(1), cat([pre, post, comb.flatten(1)], 1));
    }

    /// <summary>
    /// Softmax over destinations, then alternating divisions by the sums over sources and destinations, ending with sources: for every
    /// destination the weights of its sources sum to 1.
    /// </summary>
    /// <param name="logits">[…, source, destination].</param>
    /// <param name="rounds">Number of divisions by the source sums.</param>
    /// <param name="epsilon">Added to every sum and to the softmax.</param>
    public static Tensor Sinkhorn(Tensor logits, int rounds, double epsilon)
    {
        var m = logits.softmax(-1).Plus(epsilon);
        m = m / m.sum(-2, keepdim: true).Plus(epsilon);
        for (var round = 1; round < rounds; round++)
        {
            m = m / m.sum(-1, keepdim: true).Plus(epsilon);
            m = m / m.sum(-2, keepdim: true).Plus(epsilon);
        }

        return m;
    }

    private static Tensor Expand(Tensor scale, int n) =>
        cat([scale.narrow(0, 0, 1).expand(n), scale.narrow(0, 1, 1).expand(n), scale.narrow(0, 2, 1).expand(n * n)]);
}

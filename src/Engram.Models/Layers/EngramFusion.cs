using Engram.Models.Configuration;
using Engram.Models.Inspection;
using Engram.Models.Kernels;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Models.Layers;

// Shape letters: B sequences   T positions   N = B·T   M residual streams   D hidden width   E memory width (all orders and heads)

/// <summary>
/// Lets gathered memory into the residual streams (paper §2.3–2.4, Eq. 3–6): one value shared by all streams, a key and a gate per stream,
/// then the short convolution. The result is added to the streams by the caller.
/// </summary>
internal sealed class EngramFusion
{
    private const double RootFloor = 1e-6;   // keeps the slope of the signed root finite near 0

    private readonly EngramConfiguration _engram;
    private readonly int _streams;
    private readonly int _hidden;
    private readonly Parameter _keyValue;
    private readonly Parameter? _queryGain;
    private readonly Parameter? _keyGain;
    private readonly ShortConvolution? _convolution;

    public EngramFusion(ModelConfiguration configuration, string prefix, ModelParameters parameters)
    {
        _engram = configuration.Engram!;
        (_streams, _hidden) = (configuration.HcMult, configuration.HiddenSize);
        var keys = _engram.Gate == EngramGate.None ? 0 : _streams;
        var blocks = Enumerable.Repeat(_hidden, keys + 1).ToArray();
        _keyValue = parameters.Add($"{prefix}.wkv.weight", [(keys + 1) * _hidden, _engram.MemoryWidth], ParameterRole.Matrix,
            InitialValue.Normal(configuration.InitializerRange), blocks);
        if (keys > 0)
        {
            _queryGain = parameters.Add($"{prefix}.q_weight", [_streams, _hidden], ParameterRole.Vector, InitialValue.Constant(1));
            _keyGain = parameters.Add($"{prefix}.k_weight", [_streams, _hidden], ParameterRole.Vector, InitialValue.Constant(1));
        }

        if (_engram.ConvKernel > 0)
            _convolution = new ShortConvolution(_engram, _streams, _hidden, prefix, parameters);
    }

    /// <summary>Positions of the past that the convolution needs, 0 without one.</summary>
    public int Reach => _convolution?.Reach ?? 0;

    /// <summary>What to add to the streams. streams [B, T, M, D], memory [B, T, E] → [B, T, M, D].</summary>
    /// <param name="streams">The raw residual streams at the entry of the block.</param>
    /// <param name="memory">Gathered rows, all orders and heads side by side.</param>
    /// <param name="ages">Positions of the same document before each position, row-major [B, T].</param>
    /// <param name="history">Convolution state while decoding; null in training.</param>
    /// <param name="trace">Receives memory, hidden state, gate and output when inspection asks for them.</param>
    public Tensor Forward(Tensor streams, Tensor memory, int[] ages, ConvolutionHistory? history, LayerTrace? trace)
    {
        var keyValue = nn.functional.linear(memory, _keyValue);
        Tensor gated;
        if (_queryGain is null)
        {
            gated = keyValue.unsqueeze(2).expand_as(streams).contiguous();
            trace?.SetGate(ones([streams.size(0), streams.size(1), _streams], dtype: streams.dtype));
        }
        else if (trace is null && ContextGateKernel.Handles(streams))
        {
            gated = ContextGateKernel.Apply(streams, keyValue, _queryGain, _keyGain!, _engram.NormEps, _engram.Gate == EngramGate.SignedSqrt);
        }
        else
        {
            (gated, var gate) = GateComposed(streams, keyValue);
            trace?.SetGate(gate);
        }

        var output = _convolution is null ? gated : _convolution.Forward(gated, ages, history);
        trace?.SetFusion(streams, memory, output);
        return output;
    }

    /// <summary>Gates from tensor operations: any device and type, and the reference of the kernel. Returns (α·v [B, T, M, D], α [B, T, M]).</summary>
    public (Tensor Gated, Tensor Gate) GateComposed(Tensor streams, Tensor keyValue)
    {
        var (batch, length) = (streams.size(0), streams.size(1));
        var slices = keyValue.view(batch, length, _streams + 1, _hidden);   // keys of stream 1 … M, value last
        var q = RmsNorm.Unit(streams, _engram.NormEps) * _queryGain!;
        var k = RmsNorm.Unit(slices.narrow(2, 0, _streams), _engram.NormEps) * _keyGain!;
        // Both sides have norm √D at unit gains, so |score| ≤ √D however large the residual streams grow.
        var score = (q * k).sum(-1, keepdim: true) * (1 / Math.Sqrt(_hidden));
        if (_engram.Gate == EngramGate.SignedSqrt)
            score = score.sign() * score.abs().clamp_min(RootFloor).sqrt();
        var alpha = score.sigmoid();
        return (alpha * slices.narrow(2, _streams, 1), alpha.squeeze(-1));
    }
}

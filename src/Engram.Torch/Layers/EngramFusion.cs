using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch.Kernels;
using Engram.Torch.Native;
using Engram.Torch.Sequences;
using Engram.Torch.Taps;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: B sequences   T positions   N = B·T   M residual streams   D width of a stream   E memory width (all orders and heads)

/// <summary>
/// Lets gathered memory into the residual streams (paper §2.3–2.4, Eq. 3–6): one value shared by all streams, a key and a gate per stream,
/// then the short convolution. The result is added to the streams by the caller. Rival memories are the value alone: for attention, whose
/// values stand in the place of a stream, or for the input embedding.
/// </summary>
internal sealed class EngramFusion
{
    private readonly EngramConfiguration _engram;
    private readonly int _streams;
    private readonly int _hidden;
    private readonly double _epsilon;
    private readonly double _scale;
    private readonly Parameter _keyValue;
    private readonly Parameter? _bias;
    private readonly Parameter? _queryGain;
    private readonly Parameter? _keyGain;
    private readonly ShortConvolution? _convolution;

    public EngramFusion(ModelConfiguration configuration, string prefix, ModelParameters parameters)
    {
        _engram = configuration.Engram!;
        (_streams, _hidden, _epsilon) = (configuration.FusedStreams, configuration.FusedWidth, _engram.NormEps ?? configuration.RmsNormEps);
        _scale = _engram.Fusion == FusionPlace.Input ? configuration.InputScale : 1;
        var keys = _engram.Gate == EngramGate.None ? 0 : _streams;
        var blocks = Enumerable.Repeat(_hidden, keys + 1).ToArray();
        _keyValue = parameters.Add(
            $"{prefix}.wkv.weight",
            [(keys + 1) * _hidden, _engram.MemoryWidth],
            ParameterRole.Matrix,
            InitialValue.Normal(configuration.InitializerRange),
            blocks
        );
        if (_engram.ProjectionBias)
            _bias = parameters.Add($"{prefix}.wkv.bias", [(keys + 1) * _hidden], ParameterRole.Vector, InitialValue.Constant(0));
        if (keys > 0)
        {
            _queryGain = parameters.Add($"{prefix}.q_weight", [_streams, _hidden], ParameterRole.Vector, InitialValue.Constant(1));
            _keyGain = parameters.Add($"{prefix}.k_weight", [_streams, _hidden], ParameterRole.Vector, InitialValue.Constant(1));
        }

        if (_engram.ConvKernel > 0)
            _convolution = new ShortConvolution(_engram, _streams, _hidden, prefix, parameters);
    }

    /// <summary>What to add to the streams. streams [B, T, M, D], memory [B, T, E] → [B, T, M, D].</summary>
    /// <param name="streams">
    /// The raw residual streams at the entry of the block, or the one mixture of them that its attention reads (<see cref="FusionPlace"/>);
    /// in other places they are tapped alone.
    /// </param>
    /// <param name="memory">
    /// Gathered rows, all orders and heads side by side; zero at dead positions, so that exactly nothing is added there.
    /// </param>
    /// <param name="ages">
    /// Positions before each position that it may look back to, row-major [B, T]; −1 at dead positions
    /// (<see cref="Models.Sequences.DocumentRule"/>).
    /// </param>
    /// <param name="state">What the convolution keeps of the positions before; null for whole sequences.</param>
    /// <param name="tap">Takes memory, hidden state, gate and output if somebody asks.</param>
    public Tensor Forward(Tensor streams, Tensor memory, int[] ages, LayerState? state, MemoryTap? tap)
    {
        var keyValue = nn.functional.linear(memory, _keyValue, _bias);
        if (_bias is not null)
            keyValue = ClosedWhereDead(keyValue, ages);
        Tensor gated;
        if (_queryGain is null)
        {
            gated = keyValue.unsqueeze(2).expand(streams.size(0), streams.size(1), _streams, _hidden).contiguous();
            if (_scale != 1)
                gated = gated.Times(_scale);
            tap?.SetGate(
                ClosedWhereDead(ones([streams.size(0), streams.size(1), _streams], dtype: streams.dtype, device: streams.device), ages)
            );
        }
        else
        {
            gated = Fused.Or(
                streams,
                kernel: () => ContextGateKernel.Apply(streams, keyValue, _queryGain, _keyGain!, _epsilon, _engram.Gate),
                twin: () => GateComposed(streams, keyValue).Gated
            );
            tap?.SetGate(ClosedWhereDead(GateComposed(streams, keyValue).Gate, ages));
        }

        var output = _convolution is null ? gated : _convolution.Forward(gated, ages, state);
        tap?.SetFusion(streams, memory, output);
        return output;
    }

    /// <summary>The twin of the kernel, which keeps no gates: taps ask here. Returns (α·v [B, T, M, D], α [B, T, M]).</summary>
    public (Tensor Gated, Tensor Gate) GateComposed(Tensor streams, Tensor keyValue)
    {
        var (batch, length) = (streams.size(0), streams.size(1));
        // paper Eq. 3, and a key for each stream (Eq. 6): keys of stream 1 … M, value last
        var slices = keyValue.view(batch, length, _streams + 1, _hidden);
        var q = RmsNorm.Unit(streams, _epsilon) * _queryGain!;
        var k = RmsNorm.Unit(slices.narrow(2, 0, _streams), _epsilon) * _keyGain!;
        // Paper Eq. 4 from here. Both sides have norm √D at unit gains, so |score| ≤ √D however large the residual streams grow.
        var score = (q * k).sum(-1, keepdim: true).Times(1 / Math.Sqrt(_hidden));
        var alpha = (
            _engram.Gate switch
            {
                EngramGate.SignedSqrt => score.sign() * score.abs().AtLeast(GateFunction.RootFloor).sqrt(),
                EngramGate.CopySignSqrt => score.abs().AtLeast(GateFunction.RootFloor).sqrt().copysign(score),
                _ => score,
            }
        ).sigmoid();
        return (alpha * slices.narrow(2, _streams, 1), alpha.squeeze(-1));
    }

    /// <summary>Values [B, T, …] with zeros at dead positions.</summary>
    private static Tensor ClosedWhereDead(Tensor values, int[] ages) =>
        ages.Contains(-1)
            ? values * tensor(ages, [values.size(0), values.size(1), 1], ScalarType.Int32, values.device).IsAtLeast(0).to(values.dtype)
            : values;
}

using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using Engram.Torch.Native;
using Engram.Torch.Sequences;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: B sequences   T positions   M branches   D hidden width   R reach of the convolution into the past

/// <summary>
/// The memory's short convolution (paper Eq. 5): Y = u + SiLU(Conv(RMSNorm(u))), depthwise, causal, dilated by the largest order. Taps that
/// fall before the start of their document, or on a dead position or before it, read zero. Zero taps make it the identity.
/// </summary>
internal sealed class ShortConvolution
{
    private readonly int _kernel;
    private readonly int _dilation;
    private readonly Parameter _taps;
    private readonly Parameter _gain;

    public ShortConvolution(EngramConfiguration engram, int branches, int hidden, string prefix, ModelParameters parameters)
    {
        (_kernel, _dilation) = (engram.ConvKernel, engram.ConvDilation);
        _taps = parameters.Add($"{prefix}.conv.weight", [branches * hidden, 1, _kernel], ParameterRole.Vector, InitialValue.Constant(0));
        _gain = parameters.Add($"{prefix}.conv_norm.weight", [branches, hidden], ParameterRole.Vector, InitialValue.Constant(1));
    }

    /// <summary>Positions that the convolution looks back, (κ − 1) · δ.</summary>
    public int Reach => (_kernel - 1) * _dilation;

    /// <summary>u [B, T, M, D] → [B, T, M, D].</summary>
    /// <param name="u">Gated values.</param>
    /// <param name="ages">
    /// For every position (row-major [B, T]) how many positions before it the taps may read; −1 at a dead position, where u is zero.
    /// </param>
    /// <param name="state">Normalised values of the positions before, extended by this call; null for whole sequences.</param>
    public Tensor Forward(Tensor u, int[] ages, LayerState? state) =>
        state is not null
            ? Composed(u, ages, state)
            : Fused.Or(
                u,
                kernel: () => ShortConvolutionKernel.Apply(u, _taps, _gain, ages, _kernel, _dilation, EngramConfiguration.ConvNormEpsilon),
                twin: () => Composed(u, ages, state: null)
            );

    /// <summary>The twin of the kernel, and the only one that continues a sequence.</summary>
    public Tensor Composed(Tensor u, int[] ages, LayerState? state)
    {
        var (batch, length, channels) = (u.size(0), u.size(1), u.size(2) * u.size(3));
        var x = RmsNorm.Composed(u, _gain, EngramConfiguration.ConvNormEpsilon).view(batch, length, channels);
        var reach = Reach;
        var past =
            reach > 0 && state is { } held
                ? held.Past(StatePart.Value, reach, x)
                : zeros([batch, reach, channels], dtype: u.dtype, device: u.device);
        state?.Append(StatePart.Value, x);
        var flat = cat([past, x], 1);
        var age = tensor(ages, [batch, length, 1], ScalarType.Int32, u.device);
        var anyDead = ages.Contains(-1);
        Tensor? sum = null;
        for (var j = 0; j < _kernel; j++)
        {
            var back = (_kernel - 1 - j) * _dilation;
            var tap = flat.narrow(1, reach - back, length) * _taps.select(2, j).squeeze(-1);
            if (back > 0 || anyDead) // a position's own tap reads zero only where the position is dead
                tap = tap * age.IsAtLeast(back).to(u.dtype);
            sum = sum is null ? tap : sum.Plus(tap);
        }

        return u.Plus(nn.functional.silu(sum!).view(u.shape));
    }
}

using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: N tokens   D hidden width   w inner width

/// <summary>
/// Gated feed-forward network: W_down( silu(W_gate x) ⊙ W_up x ). Gate and up projections are one matrix, gate rows first.
/// </summary>
internal sealed class SwiGlu
{
    private readonly Parameter _gateUp;
    private readonly Parameter _down;

    public SwiGlu(string prefix, int width, ModelConfiguration configuration, ModelParameters parameters)
    {
        var hidden = configuration.HiddenSize;
        _gateUp = parameters.Add(
            $"{prefix}.gate_up_proj.weight",
            [2 * width, hidden],
            ParameterRole.Matrix,
            InitialValue.Normal(configuration.InitializerRange),
            width,
            width
        );
        _down = parameters.Add(
            $"{prefix}.down_proj.weight",
            [hidden, width],
            ParameterRole.Matrix,
            InitialValue.Normal(configuration.OutputInitializerRange)
        );
    }

    /// <summary>x [N, D] → [N, D].</summary>
    public Tensor Forward(Tensor x) => nn.functional.linear(Activate(nn.functional.linear(x, _gateUp)), _down);

    /// <summary>silu(gate) ⊙ up for rows laid out as [gate | up]: [N, 2w] → [N, w].</summary>
    public static Tensor Activate(Tensor gateUp) =>
        Fused.Or(gateUp, kernel: () => SwiGluKernel.Apply(gateUp), twin: () => Composed(gateUp));

    /// <summary>The twin of the kernel.</summary>
    public static Tensor Composed(Tensor gateUp)
    {
        var width = gateUp.size(-1) / 2;
        return nn.functional.silu(gateUp.narrow(-1, 0, width)) * gateUp.narrow(-1, width, width);
    }
}

using Engram.Inference.Kernels;
using Engram.Inference.Weights;

namespace Engram.Inference.Layers;

// Shape letters: N rows   D hidden width   w inner width

/// <summary>Gated feed-forward network: W_down( silu(W_gate x) ⊙ W_up x ).</summary>
internal sealed unsafe class FeedForward
{
    private readonly Matrix _gate;
    private readonly Matrix _up;
    private readonly Matrix _down;

    public FeedForward(ModelWeights weights, string prefix, int hidden, int width)
    {
        _gate = weights.Matrix($"{prefix}.gate_proj.weight", width, hidden);
        _up = weights.Matrix($"{prefix}.up_proj.weight", width, hidden);
        _down = weights.Matrix($"{prefix}.down_proj.weight", hidden, width);
    }

    /// <summary>x [N, D] → y [N, D].</summary>
    public void Forward(ForwardPass pass, float* x, int rows, float* y)
    {
        var width = _gate.Rows;
        var gate = pass.Scratch[0].Reserve((long)rows * width);
        var up = pass.Scratch[1].Reserve((long)rows * width);
        var room = pass.Scratch[2].Reserve(width);
        MatrixProduct.Multiply(_gate, x, rows, gate);
        MatrixProduct.Multiply(_up, x, rows, up);
        for (var row = 0; row < rows; row++)
            Normalization.SwiGlu(gate + (long)row * width, up + (long)row * width, width, room);
        MatrixProduct.Multiply(_down, gate, rows, y);
    }
}

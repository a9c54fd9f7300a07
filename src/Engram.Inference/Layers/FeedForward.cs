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

    /// <summary>Room that N rows need: gates [N, w], then the others [N, w].</summary>
    public long InnerSize(int rows) => 2L * rows * _gate.Rows;

    /// <summary>x [N, D] → y [N, D].</summary>
    public void Forward(ForwardPass pass, float* x, int rows, float* y)
    {
        var inner = pass.Scratch[0].Reserve(InnerSize(rows));
        AddInner(pass, x, rows, inner);
        pass.RunProducts();
        Activate(pass, rows, inner);
        AddOutput(pass, rows, inner, y);
        pass.RunProducts();
    }

    /// <summary>Puts W_gate x and W_up x on the list of products.</summary>
    public void AddInner(ForwardPass pass, float* x, int rows, float* inner)
    {
        pass.Products.Add(_gate, x, rows, inner);
        pass.Products.Add(_up, x, rows, inner + (long)rows * _gate.Rows);
    }

    /// <summary>silu(gates) ⊙ others, in the place of the gates.</summary>
    public void Activate(ForwardPass pass, int rows, float* inner)
    {
        var width = _gate.Rows;
        var room = pass.Scratch[2].Reserve(width);
        for (var row = 0; row < rows; row++)
            Normalization.SwiGlu(inner + (long)row * width, inner + (long)(rows + row) * width, width, room);
    }

    /// <summary>Puts W_down of the result on the list of products.</summary>
    public void AddOutput(ForwardPass pass, int rows, float* inner, float* y) => pass.Products.Add(_down, inner, rows, y);
}

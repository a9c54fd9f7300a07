using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Kernels;

// Shape letters: N rows   w width of gate and of up

/// <summary>silu(gate) ⊙ up on rows [gate | up], one pass each way. Reference: <see cref="Layers.SwiGlu.Composed"/>.</summary>
internal sealed class SwiGluKernel : HostFunction<SwiGluKernel>
{
    public override string Name => nameof(SwiGluKernel);

    /// <summary>[N, 2w] → [N, w].</summary>
    public static Tensor Apply(Tensor gateUp) => apply(gateUp);

    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var x = ((Tensor)vars[0]).contiguous();
        var shape = x.shape;
        var width = (int)(shape[^1] / 2);
        shape[^1] = width;
        var rows = (int)(x.numel() / (2 * width));
        var y = empty(shape, ScalarType.Float32);
        if (rows > 0)
        {
            float* px = HostTensor.Pointer(x),
                py = HostTensor.Pointer(y);
            HostTensor.InParts(
                rows,
                (_, from, to) =>
                {
                    for (var i = from; i < to; i++)
                    {
                        var gate = new ReadOnlySpan<float>(px + 2L * i * width, width);
                        var up = new ReadOnlySpan<float>(px + 2L * i * width + width, width);
                        var target = new Span<float>(py + (long)i * width, width);
                        TensorPrimitives.Sigmoid(gate, target);
                        TensorPrimitives.Multiply(target, gate, target);
                        TensorPrimitives.Multiply(target, up, target);
                    }
                }
            );
        }

        ctx.save_for_backward([x]);
        return y;
    }

    protected override unsafe List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor dy)
    {
        var x = saved[0];
        var width = (int)(x.size(-1) / 2);
        var rows = (int)(x.numel() / (2 * width));
        var dx = empty_like(x);
        if (rows > 0)
        {
            float* px = HostTensor.Pointer(x),
                pdx = HostTensor.Pointer(dx),
                pdy = HostTensor.Pointer(dy);
            HostTensor.InParts(
                rows,
                (_, from, to) =>
                {
                    var sigmoid = new float[width];
                    for (var i = from; i < to; i++)
                    {
                        var gate = new ReadOnlySpan<float>(px + 2L * i * width, width);
                        var up = new ReadOnlySpan<float>(px + 2L * i * width + width, width);
                        var d = new ReadOnlySpan<float>(pdy + (long)i * width, width);
                        var dGate = new Span<float>(pdx + 2L * i * width, width);
                        var dUp = new Span<float>(pdx + 2L * i * width + width, width);
                        // silu' = σ + silu·(1 − σ);  dGate = d·up·silu',  dUp = d·silu
                        TensorPrimitives.Sigmoid(gate, sigmoid);
                        TensorPrimitives.Multiply(sigmoid, gate, dUp); // silu
                        TensorPrimitives.Subtract(1f, sigmoid, dGate);
                        TensorPrimitives.MultiplyAdd(dGate, dUp, sigmoid, dGate); // silu'
                        TensorPrimitives.Multiply(dGate, up, dGate);
                        TensorPrimitives.Multiply(dGate, d, dGate);
                        TensorPrimitives.Multiply(dUp, d, dUp);
                    }
                }
            );
        }

        return [dx];
    }
}

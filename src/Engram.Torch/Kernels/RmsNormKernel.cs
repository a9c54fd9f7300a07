using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Kernels;

// Shape letters: N rows   D width of a row

/// <summary>
/// RMSNorm with one gain vector, forward and backward in one pass each. Reference: <see cref="Layers.RmsNorm.Composed"/>.
/// </summary>
internal sealed class RmsNormKernel : HostFunction<RmsNormKernel>
{
    public override string Name => nameof(RmsNormKernel);

    /// <summary>x […, D], gain [D] → […, D].</summary>
    public static Tensor Apply(Tensor x, Tensor gain, double epsilon) => apply(x, gain, epsilon);

    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var x = ((Tensor)vars[0]).contiguous();
        var gain = (Tensor)vars[1];
        var epsilon = (double)vars[2];
        var width = (int)gain.numel();
        var rows = (int)(x.numel() / width);
        var y = empty_like(x);
        var scale = empty([rows], ScalarType.Float32);
        float* px = HostTensor.Pointer(x),
            py = HostTensor.Pointer(y),
            pg = HostTensor.Pointer(gain),
            ps = HostTensor.Pointer(scale);
        HostTensor.InParts(
            rows,
            (_, from, to) =>
            {
                var g = new ReadOnlySpan<float>(pg, width);
                for (var i = from; i < to; i++)
                {
                    var source = new ReadOnlySpan<float>(px + (long)i * width, width);
                    var target = new Span<float>(py + (long)i * width, width);
                    ps[i] = (float)(1 / Math.Sqrt(TensorPrimitives.SumOfSquares(source) / width + epsilon));
                    TensorPrimitives.Multiply(source, ps[i], target);
                    TensorPrimitives.Multiply(target, g, target);
                }
            }
        );
        ctx.save_for_backward([x, gain, scale]);
        return y;
    }

    protected override unsafe List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor dy)
    {
        var (x, gain, scale) = (saved[0], saved[1], saved[2]);
        var width = (int)gain.numel();
        var rows = (int)(x.numel() / width);
        var dx = empty_like(x);
        var parts = HostTensor.Parts(rows);
        var gainParts = zeros([parts, width], ScalarType.Float32);
        float* px = HostTensor.Pointer(x),
            pdx = HostTensor.Pointer(dx),
            pdy = HostTensor.Pointer(dy);
        float* pg = HostTensor.Pointer(gain),
            ps = HostTensor.Pointer(scale),
            pdg = HostTensor.Pointer(gainParts);
        HostTensor.InParts(
            rows,
            (part, from, to) =>
            {
                var g = new ReadOnlySpan<float>(pg, width);
                var dg = new Span<float>(pdg + (long)part * width, width);
                var product = new float[width];
                for (var i = from; i < to; i++)
                {
                    var xi = new ReadOnlySpan<float>(px + (long)i * width, width);
                    var dyi = new ReadOnlySpan<float>(pdy + (long)i * width, width);
                    var dxi = new Span<float>(pdx + (long)i * width, width);
                    var s = ps[i];
                    TensorPrimitives.Multiply(dyi, xi, product);
                    TensorPrimitives.MultiplyAdd(product, s, dg, dg);
                    // dx = s·(dy⊙g) − s³/width·<dy⊙g, x>·x
                    var dot = TensorPrimitives.Dot(product, g);
                    TensorPrimitives.Multiply(dyi, g, dxi);
                    TensorPrimitives.Multiply(dxi, s, dxi);
                    TensorPrimitives.MultiplyAdd(xi, -dot * s * s * s / width, dxi, dxi);
                }
            }
        );
        return [dx, gainParts.sum([0L]), null!];
    }
}

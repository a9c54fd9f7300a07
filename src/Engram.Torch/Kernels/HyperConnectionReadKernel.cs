using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Kernels;

// Shape letters: N tokens   n streams   D hidden width   C = 2n + n² coefficients (read n, write n, mix n²)

/// <summary>
/// What a sub-layer reads of the residual streams, as one operator on host memory. Reference:
/// <see cref="Layers.HyperConnection.ReadComposed"/>.
/// </summary>
internal sealed class HyperConnectionReadKernel : HostFunction<HyperConnectionReadKernel>
{
    public override string Name => nameof(HyperConnectionReadKernel);

    /// <summary>u = Σ_m pre[m] · X[m]. streams [N, n, D], coefficients [N, C] → [N, D].</summary>
    public static Tensor Apply(Tensor streams, Tensor coefficients) => apply(streams, coefficients);

    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, coefficients) = (((Tensor)vars[0]).contiguous(), ((Tensor)vars[1]).contiguous());
        var (tokens, n, d, c) = ((int)x.size(0), (int)x.size(1), (int)x.size(2), (int)coefficients.size(1));
        var u = empty([tokens, d], ScalarType.Float32);
        float* px = HostTensor.Pointer(x),
            pc = HostTensor.Pointer(coefficients),
            pu = HostTensor.Pointer(u);
        HostTensor.InParts(
            tokens,
            (_, from, to) =>
            {
                for (var t = from; t < to; t++)
                {
                    var target = new Span<float>(pu + (long)t * d, d);
                    TensorPrimitives.Multiply(new ReadOnlySpan<float>(px + (long)t * n * d, d), pc[(long)t * c], target);
                    for (var m = 1; m < n; m++)
                        TensorPrimitives.MultiplyAdd(
                            new ReadOnlySpan<float>(px + ((long)t * n + m) * d, d),
                            pc[(long)t * c + m],
                            target,
                            target
                        );
                }
            }
        );
        ctx.save_for_backward([x, coefficients]);
        return u;
    }

    protected override unsafe List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor du)
    {
        var (x, coefficients) = (saved[0], saved[1]);
        var (tokens, n, d, c) = ((int)x.size(0), (int)x.size(1), (int)x.size(2), (int)coefficients.size(1));
        var dx = empty_like(x);
        var dc = zeros_like(coefficients);
        float* px = HostTensor.Pointer(x),
            pc = HostTensor.Pointer(coefficients),
            pdu = HostTensor.Pointer(du);
        float* pdx = HostTensor.Pointer(dx),
            pdc = HostTensor.Pointer(dc);
        HostTensor.InParts(
            tokens,
            (_, from, to) =>
            {
                for (var t = from; t < to; t++)
                {
                    var g = new ReadOnlySpan<float>(pdu + (long)t * d, d);
                    for (var m = 0; m < n; m++)
                    {
                        TensorPrimitives.Multiply(g, pc[(long)t * c + m], new Span<float>(pdx + ((long)t * n + m) * d, d));
                        pdc[(long)t * c + m] = TensorPrimitives.Dot(g, new ReadOnlySpan<float>(px + ((long)t * n + m) * d, d));
                    }
                }
            }
        );
        return [dx, dc];
    }
}

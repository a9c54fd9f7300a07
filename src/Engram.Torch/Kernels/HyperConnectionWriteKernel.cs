using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Kernels;

// Shape letters: N tokens   n streams   D hidden width   C = 2n + n² coefficients (read n, write n, mix n²)

/// <summary>
/// What the residual streams become behind a sub-layer, as one operator on host memory. Reference:
/// <see cref="Layers.StreamConnection.WriteComposed"/>.
/// </summary>
internal sealed class HyperConnectionWriteKernel : HostFunction<HyperConnectionWriteKernel>
{
    public override string Name => nameof(HyperConnectionWriteKernel);

    /// <summary>
    /// X'[k] = post[k] · y + Σ_m comb[m, k] · X[m]. streams [N, n, D], output y [N, D], coefficients [N, C] → [N, n, D].
    /// </summary>
    public static Tensor Apply(Tensor streams, Tensor output, Tensor coefficients) => apply(streams, output, coefficients);

    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, y, coefficients) = (((Tensor)vars[0]).contiguous(), ((Tensor)vars[1]).contiguous(), ((Tensor)vars[2]).contiguous());
        var (tokens, n, d, c) = ((int)x.size(0), (int)x.size(1), (int)x.size(2), (int)coefficients.size(1));
        var result = empty_like(x);
        float* px = HostTensor.Pointer(x),
            py = HostTensor.Pointer(y),
            pc = HostTensor.Pointer(coefficients),
            pr = HostTensor.Pointer(result);
        HostTensor.InParts(
            tokens,
            (_, from, to) =>
            {
                for (var t = from; t < to; t++)
                {
                    var post = pc + (long)t * c + n;
                    var comb = pc + (long)t * c + 2 * n;
                    for (var k = 0; k < n; k++)
                    {
                        var target = new Span<float>(pr + ((long)t * n + k) * d, d);
                        TensorPrimitives.Multiply(new ReadOnlySpan<float>(py + (long)t * d, d), post[k], target);
                        for (var m = 0; m < n; m++)
                            TensorPrimitives.MultiplyAdd(
                                new ReadOnlySpan<float>(px + ((long)t * n + m) * d, d),
                                comb[m * n + k],
                                target,
                                target
                            );
                    }
                }
            }
        );
        ctx.save_for_backward([x, y, coefficients]);
        return result;
    }

    protected override unsafe List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor g)
    {
        var (x, y, coefficients) = (saved[0], saved[1], saved[2]);
        var (tokens, n, d, c) = ((int)x.size(0), (int)x.size(1), (int)x.size(2), (int)coefficients.size(1));
        var (dx, dy, dc) = (empty_like(x), empty_like(y), zeros_like(coefficients));
        float* px = HostTensor.Pointer(x),
            py = HostTensor.Pointer(y),
            pc = HostTensor.Pointer(coefficients),
            pg = HostTensor.Pointer(g);
        float* pdx = HostTensor.Pointer(dx),
            pdy = HostTensor.Pointer(dy),
            pdc = HostTensor.Pointer(dc);
        HostTensor.InParts(
            tokens,
            (_, from, to) =>
            {
                for (var t = from; t < to; t++)
                {
                    var output = new ReadOnlySpan<float>(py + (long)t * d, d);
                    var dOutput = new Span<float>(pdy + (long)t * d, d);
                    dOutput.Clear();
                    var at = (long)t * c;
                    for (var k = 0; k < n; k++)
                    {
                        var gk = new ReadOnlySpan<float>(pg + ((long)t * n + k) * d, d);
                        pdc[at + n + k] = TensorPrimitives.Dot(gk, output);
                        TensorPrimitives.MultiplyAdd(gk, pc[at + n + k], dOutput, dOutput);
                    }

                    for (var m = 0; m < n; m++)
                    {
                        var source = new ReadOnlySpan<float>(px + ((long)t * n + m) * d, d);
                        var dSource = new Span<float>(pdx + ((long)t * n + m) * d, d);
                        dSource.Clear();
                        for (var k = 0; k < n; k++)
                        {
                            var gk = new ReadOnlySpan<float>(pg + ((long)t * n + k) * d, d);
                            pdc[at + 2 * n + m * n + k] = TensorPrimitives.Dot(gk, source);
                            TensorPrimitives.MultiplyAdd(gk, pc[at + 2 * n + m * n + k], dSource, dSource);
                        }
                    }
                }
            }
        );
        return [dx, dy, dc];
    }
}

using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Kernels;

// Shape letters: B sequences   T positions   M residual streams   D hidden width   κ taps

/// <summary>
/// The memory's short convolution (paper Eq. 5) with its norm, activation and residual, one pass each way; sequences are independent.
/// Reference: <see cref="Layers.ShortConvolution.Composed"/>.
/// </summary>
internal sealed class ShortConvolutionKernel : HostFunction<ShortConvolutionKernel>
{
    private const int LeastSequences = 2;

    private sealed record Options(int[] Ages, int Kernel, int Dilation, double Epsilon);

    public override string Name => nameof(ShortConvolutionKernel);

    /// <summary>u [B, T, M, D], taps [M·D, 1, κ], gain [M, D] → u + SiLU(Conv(RMSNorm(u))).</summary>
    public static Tensor Apply(Tensor u, Tensor taps, Tensor gain, int[] ages, int kernel, int dilation, double epsilon) =>
        apply(u, taps, gain, new Options(ages, kernel, dilation, epsilon));

    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (u, taps, gain, options) = (((Tensor)vars[0]).contiguous(), (Tensor)vars[1], (Tensor)vars[2], (Options)vars[3]);
        var (batch, length) = ((int)u.size(0), (int)u.size(1));
        var (m, d) = ((int)gain.size(0), (int)gain.size(1));
        var c = m * d;
        var y = empty_like(u);
        var normed = empty_like(u);
        var mixed = empty_like(u);
        var scale = empty([batch * length, m], ScalarType.Float32);
        using var byTap = taps.view(c, options.Kernel).t().contiguous(); // [κ, M·D]
        float* pu = HostTensor.Pointer(u),
            py = HostTensor.Pointer(y),
            pn = HostTensor.Pointer(normed),
            px = HostTensor.Pointer(mixed);
        float* pt = HostTensor.Pointer(byTap),
            pg = HostTensor.Pointer(gain),
            ps = HostTensor.Pointer(scale);
        HostTensor.InParts(
            batch,
            (_, from, to) =>
            {
                for (var t = from * length; t < to * length; t++)
                {
                    for (var s = 0; s < m; s++)
                    {
                        var source = new ReadOnlySpan<float>(pu + (long)t * c + s * d, d);
                        var target = new Span<float>(pn + (long)t * c + s * d, d);
                        var r = (float)(1 / Math.Sqrt(TensorPrimitives.SumOfSquares(source) / d + options.Epsilon));
                        ps[t * m + s] = r;
                        TensorPrimitives.Multiply(source, r, target);
                        TensorPrimitives.Multiply(target, new ReadOnlySpan<float>(pg + s * d, d), target);
                    }

                    var sum = new Span<float>(px + (long)t * c, c);
                    sum.Clear();
                    for (var j = 0; j < options.Kernel; j++)
                    {
                        var back = (options.Kernel - 1 - j) * options.Dilation;
                        if (options.Ages[t] >= back)
                            TensorPrimitives.MultiplyAdd(
                                new ReadOnlySpan<float>(pn + (long)(t - back) * c, c),
                                new ReadOnlySpan<float>(pt + (long)j * c, c),
                                sum,
                                sum
                            );
                    }

                    var output = new Span<float>(py + (long)t * c, c);
                    TensorPrimitives.Sigmoid(sum, output);
                    TensorPrimitives.MultiplyAdd(output, sum, new ReadOnlySpan<float>(pu + (long)t * c, c), output);
                }
            },
            LeastSequences
        );
        ctx.save_for_backward([u, taps, gain, normed, mixed, scale]);
        ctx.save_data(nameof(Options), options);
        return y;
    }

    protected override unsafe List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor dy)
    {
        var (u, taps, gain, normed, mixed, scale) = (saved[0], saved[1], saved[2], saved[3], saved[4], saved[5]);
        var options = (Options)ctx.get_data(nameof(Options));
        var (batch, length) = ((int)u.size(0), (int)u.size(1));
        var (m, d) = ((int)gain.size(0), (int)gain.size(1));
        var c = m * d;
        var du = empty_like(u);
        var dNormed = zeros_like(u);
        var parts = HostTensor.Parts(batch, LeastSequences);
        var dTapParts = zeros([parts, options.Kernel, c], ScalarType.Float32);
        var dGainParts = zeros([parts, c], ScalarType.Float32);
        var byTap = taps.view(c, options.Kernel).t().contiguous();
        float* pu = HostTensor.Pointer(u),
            pdu = HostTensor.Pointer(du),
            pdy = HostTensor.Pointer(dy),
            pn = HostTensor.Pointer(normed);
        float* px = HostTensor.Pointer(mixed),
            pdn = HostTensor.Pointer(dNormed),
            pt = HostTensor.Pointer(byTap),
            pg = HostTensor.Pointer(gain);
        float* ps = HostTensor.Pointer(scale),
            pdt = HostTensor.Pointer(dTapParts),
            pdg = HostTensor.Pointer(dGainParts);
        HostTensor.InParts(
            batch,
            (part, from, to) =>
            {
                var (sigmoid, dMixed) = (new float[c], new float[c]);
                for (var t = from * length; t < to * length; t++)
                {
                    // silu' = σ·(1 + x·(1 − σ))
                    var sum = new ReadOnlySpan<float>(px + (long)t * c, c);
                    var d1 = new ReadOnlySpan<float>(pdy + (long)t * c, c);
                    TensorPrimitives.Sigmoid(sum, sigmoid);
                    TensorPrimitives.Subtract(1f, sigmoid, dMixed);
                    TensorPrimitives.MultiplyAdd(dMixed, sum, 1f, dMixed);
                    TensorPrimitives.Multiply(dMixed, sigmoid, dMixed);
                    TensorPrimitives.Multiply(dMixed, d1, dMixed);
                    for (var j = 0; j < options.Kernel; j++)
                    {
                        var back = (options.Kernel - 1 - j) * options.Dilation;
                        if (options.Ages[t] < back)
                            continue;
                        var tap = new ReadOnlySpan<float>(pt + (long)j * c, c);
                        var dTap = new Span<float>(pdt + ((long)part * options.Kernel + j) * c, c);
                        var dSource = new Span<float>(pdn + (long)(t - back) * c, c);
                        TensorPrimitives.MultiplyAdd(dMixed, new ReadOnlySpan<float>(pn + (long)(t - back) * c, c), dTap, dTap);
                        TensorPrimitives.MultiplyAdd(dMixed, tap, dSource, dSource);
                    }
                }

                var product = new float[d];
                for (var t = from * length; t < to * length; t++)
                for (var s = 0; s < m; s++)
                {
                    var at = (long)t * c + s * d;
                    var x = new ReadOnlySpan<float>(pu + at, d);
                    var dn = new ReadOnlySpan<float>(pdn + at, d);
                    var g = new ReadOnlySpan<float>(pg + s * d, d);
                    var dx = new Span<float>(pdu + at, d);
                    var dGain = new Span<float>(pdg + (long)part * c + s * d, d);
                    var r = ps[t * m + s];
                    TensorPrimitives.Multiply(dn, x, product);
                    TensorPrimitives.MultiplyAdd(product, r, dGain, dGain);
                    var dot = TensorPrimitives.Dot(product, g);
                    TensorPrimitives.Multiply(dn, g, dx);
                    TensorPrimitives.MultiplyAdd(dx, r, new ReadOnlySpan<float>(pdy + at, d), dx); // residual
                    TensorPrimitives.MultiplyAdd(x, -dot * r * r * r / d, dx, dx);
                }
            },
            LeastSequences
        );
        return [du, dTapParts.sum([0L]).t().reshape(c, 1, options.Kernel), dGainParts.sum([0L]).view(m, d), null!];
    }
}

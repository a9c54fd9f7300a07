using Engram.Torch.Native;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Kernels;

// Shape letters: N tokens   n streams   D hidden width   C = 2n + n² coefficients (read n, write n, mix n²)

/// <summary>
/// The coefficients of a hyper-connection as one operator on host memory: a map of all streams normalised together, sigmoids, Sinkhorn
/// rounds. Composed of tensor operations they are hundreds of tiny ones. Reference:
/// <see cref="Layers.HyperConnection.ReadComposed"/>.
/// </summary>
internal sealed class HyperConnectionCoefficientKernel : HostFunction<HyperConnectionCoefficientKernel>
{
    private sealed record Options(int Rounds, float Epsilon, double NormEpsilon);

    public override string Name => nameof(HyperConnectionCoefficientKernel);

    /// <summary>streams [N, n, D] → activated coefficients [N, C].</summary>
    public static Tensor Apply(Tensor streams, Tensor fn, Tensor bias, Tensor scale, int rounds, double epsilon, double normEpsilon) =>
        apply(streams, fn, bias, scale, new Options(rounds, (float)epsilon, normEpsilon));

    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, fn, bias, scale) = (((Tensor)vars[0]).contiguous(), (Tensor)vars[1], (Tensor)vars[2], (Tensor)vars[3]);
        var options = (Options)vars[4];
        var (tokens, n) = ((int)x.size(0), (int)x.size(1));
        var width = n * (int)x.size(2);
        var c = (int)bias.size(0);
        var z = x.view(tokens, width).mm(fn.t());
        var rms = empty([tokens], ScalarType.Float32);
        var result = empty([tokens, c], ScalarType.Float32);
        float* px = HostTensor.Pointer(x),
            pz = HostTensor.Pointer(z),
            pr = HostTensor.Pointer(rms),
            po = HostTensor.Pointer(result);
        float* pb = HostTensor.Pointer(bias),
            ps = HostTensor.Pointer(scale);
        HostTensor.InParts(
            tokens,
            (_, from, to) =>
            {
                var sinkhorn = new SinkhornKernel(n, options.Rounds, options.Epsilon);
                for (var block = from; block < to; block += SinkhornKernel.Lanes)
                {
                    var end = Math.Min(block + SinkhornKernel.Lanes, to);
                    for (var t = block; t < end; t++)
                    {
                        var r = (float)(
                            1
                            / Math.Sqrt(
                                TensorPrimitives.SumOfSquares(new ReadOnlySpan<float>(px + (long)t * width, width)) / width
                                    + options.NormEpsilon
                            )
                        );
                        pr[t] = r;
                        for (var k = 0; k < c; k++)
                        {
                            var at = (long)t * c + k;
                            pz[at] *= r;
                            po[at] = pz[at] * ps[Group(k, n)] + pb[k];
                            if (k < n)
                                po[at] = Sigmoid(po[at]) + options.Epsilon;
                            else if (k < 2 * n)
                                po[at] = 2 * Sigmoid(po[at]);
                        }
                    }

                    var comb = po + (long)block * c + 2 * n;
                    sinkhorn.Forward(comb, c, end - block, comb);
                }
            }
        );
        ctx.save_for_backward([x, fn, bias, scale, z, rms]);
        ctx.save_data(nameof(Options), options);
        return result;
    }

    protected override unsafe List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor d)
    {
        var (x, fn, bias, scale, z, rms) = (saved[0], saved[1], saved[2], saved[3], saved[4], saved[5]);
        var options = (Options)ctx.get_data(nameof(Options));
        var (tokens, n) = ((int)x.size(0), (int)x.size(1));
        var width = n * (int)x.size(2);
        var c = (int)bias.size(0);
        var parts = HostTensor.Parts(tokens);
        var dRaw = empty([tokens, c], ScalarType.Float32); // gradient of x · fnᵀ before the norm
        var along = empty([tokens], ScalarType.Float32); // what the norm takes back along x itself
        var dBiasParts = zeros([parts, c], ScalarType.Float32);
        var dScaleParts = zeros([parts, 3], ScalarType.Float32);
        float* pz = HostTensor.Pointer(z),
            pr = HostTensor.Pointer(rms),
            pd = HostTensor.Pointer(d),
            pb = HostTensor.Pointer(bias);
        float* ps = HostTensor.Pointer(scale),
            pdr = HostTensor.Pointer(dRaw),
            pa = HostTensor.Pointer(along);
        float* pdb = HostTensor.Pointer(dBiasParts),
            pds = HostTensor.Pointer(dScaleParts);
        HostTensor.InParts(
            tokens,
            (part, from, to) =>
            {
                var sinkhorn = new SinkhornKernel(n, options.Rounds, options.Epsilon);
                var logits = new float[SinkhornKernel.Lanes * n * n];
                var dLogits = new float[SinkhornKernel.Lanes * n * n];
                fixed (
                    float* pl = logits,
                        pdl = dLogits
                )
                    for (var block = from; block < to; block += SinkhornKernel.Lanes)
                    {
                        var end = Math.Min(block + SinkhornKernel.Lanes, to);
                        for (var t = block; t < end; t++)
                        for (var k = 2 * n; k < c; k++)
                            pl[(t - block) * n * n + k - 2 * n] = pz[(long)t * c + k] * ps[2] + pb[k];
                        sinkhorn.Forward(pl, n * n, end - block, null);
                        sinkhorn.Backward(pd + (long)block * c + 2 * n, c, end - block, pdl, n * n);
                        for (var t = block; t < end; t++)
                        {
                            // Where all streams are equal (always in the first connection), so are the gradients of all sources of a
                            // stream. Their weights sum to 1 whatever the logits are, so these have no gradient; what the rounds leave
                            // of it is ε and rounding, which Muon would make a whole update of.
                            if (SourcesAreAlike(pd + (long)t * c + 2 * n, n))
                                new Span<float>(pdl + (t - block) * n * n, n * n).Clear();
                            var sum = 0f;
                            for (var k = 0; k < c; k++)
                            {
                                var at = (long)t * c + k;
                                var s = k < 2 * n ? Sigmoid(pz[at] * ps[Group(k, n)] + pb[k]) : 0;
                                var dw =
                                    k < n ? pd[at] * s * (1 - s)
                                    : k < 2 * n ? pd[at] * 2 * s * (1 - s)
                                    : pdl[(t - block) * n * n + k - 2 * n];
                                pdb[part * c + k] += dw;
                                pds[part * 3 + Group(k, n)] += dw * pz[at];
                                var dz = dw * ps[Group(k, n)];
                                sum += dz * pz[at];
                                pdr[at] = dz * pr[t];
                            }

                            pa[t] = -sum * pr[t] * pr[t] / width;
                        }
                    }
            }
        );
        var flat = x.view(tokens, width);
        var dx = dRaw.mm(fn).Accumulate(flat, along.unsqueeze(1));
        return [dx.view(x.shape), dRaw.t().mm(flat), dBiasParts.sum([0L]), dScaleParts.sum([0L]), null!];
    }

    /// <summary>Whether every source has the same gradient at each destination: [source, destination].</summary>
    private static unsafe bool SourcesAreAlike(float* gradient, int n)
    {
        var first = new ReadOnlySpan<float>(gradient, n);
        for (var m = 1; m < n; m++)
            if (!first.SequenceEqual(new ReadOnlySpan<float>(gradient + m * n, n)))
                return false;
        return true;
    }

    private static int Group(int k, int n) =>
        k < n ? 0
        : k < 2 * n ? 1
        : 2;

    private static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));
}

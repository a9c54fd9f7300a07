using Engram.Models.Configuration;
using Engram.Models.Memory;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Torch.Kernels;

// Shape letters: B sequences   T positions   M residual streams   D hidden width

/// <summary>
/// The memory gate (paper Eq. 4 and 6): norms, scaled dot product, optional signed root, sigmoid and product with the value, one pass each
/// way. Reference: <see cref="Layers.EngramFusion.GateComposed"/>.
/// </summary>
internal sealed class ContextGateKernel : HostFunction<ContextGateKernel>
{
    private const int Kept = 4; // per token and stream: 1/rms of the query, 1/rms of the key, score, gate

    private sealed record Options(double Epsilon, EngramGate Gate);

    public override string Name => nameof(ContextGateKernel);

    /// <summary>streams [B, T, M, D], keyValue [B, T, (M + 1)·D], gains [M, D] → gated value [B, T, M, D].</summary>
    public static Tensor Apply(Tensor streams, Tensor keyValue, Tensor queryGain, Tensor keyGain, double epsilon, EngramGate gate) =>
        apply(streams, keyValue, queryGain, keyGain, new Options(epsilon, gate));

    public override unsafe Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (h, kv) = (((Tensor)vars[0]).contiguous(), ((Tensor)vars[1]).contiguous());
        var (queryGain, keyGain, options) = ((Tensor)vars[2], (Tensor)vars[3], (Options)vars[4]);
        var (m, d) = ((int)queryGain.size(0), (int)queryGain.size(1));
        var tokens = (int)(h.numel() / (m * d));
        var output = empty_like(h);
        var kept = empty([tokens, m, Kept], ScalarType.Float32);
        using var gains = queryGain * keyGain;
        float* ph = HostTensor.Pointer(h),
            pkv = HostTensor.Pointer(kv),
            po = HostTensor.Pointer(output);
        float* pg = HostTensor.Pointer(gains),
            pk = HostTensor.Pointer(kept);
        HostTensor.InParts(
            tokens,
            (_, from, to) =>
            {
                var product = new float[d];
                for (var t = from; t < to; t++)
                {
                    var value = new ReadOnlySpan<float>(pkv + ((long)t * (m + 1) + m) * d, d);
                    for (var s = 0; s < m; s++)
                    {
                        var query = new ReadOnlySpan<float>(ph + ((long)t * m + s) * d, d);
                        var key = new ReadOnlySpan<float>(pkv + ((long)t * (m + 1) + s) * d, d);
                        var rq = (float)(1 / Math.Sqrt(TensorPrimitives.SumOfSquares(query) / d + options.Epsilon));
                        var rk = (float)(1 / Math.Sqrt(TensorPrimitives.SumOfSquares(key) / d + options.Epsilon));
                        TensorPrimitives.Multiply(query, key, product);
                        var score = TensorPrimitives.Dot(product, new ReadOnlySpan<float>(pg + s * d, d)) * rq * rk / MathF.Sqrt(d);
                        var alpha = 1 / (1 + MathF.Exp(-GateFunction.Logit(options.Gate, score)));
                        var keep = pk + ((long)t * m + s) * Kept;
                        (keep[0], keep[1], keep[2], keep[3]) = (rq, rk, score, alpha);
                        TensorPrimitives.Multiply(value, alpha, new Span<float>(po + ((long)t * m + s) * d, d));
                    }
                }
            }
        );
        ctx.save_for_backward([h, kv, queryGain, keyGain, kept]);
        ctx.save_data(nameof(Options), options);
        return output;
    }

    protected override unsafe List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor dOutput)
    {
        var (h, kv, queryGain, keyGain, kept) = (saved[0], saved[1], saved[2], saved[3], saved[4]);
        var root = ((Options)ctx.get_data(nameof(Options))).Gate is EngramGate.SignedSqrt or EngramGate.CopySignSqrt;
        var (m, d) = ((int)queryGain.size(0), (int)queryGain.size(1));
        var tokens = (int)(h.numel() / (m * d));
        var gains = queryGain * keyGain;
        var (dh, dkv) = (empty_like(h), empty_like(kv));
        var parts = HostTensor.Parts(tokens);
        var dGainParts = zeros([parts, m, d], ScalarType.Float32);
        float* ph = HostTensor.Pointer(h),
            pkv = HostTensor.Pointer(kv),
            pd = HostTensor.Pointer(dOutput),
            pk = HostTensor.Pointer(kept);
        float* pg = HostTensor.Pointer(gains),
            pdh = HostTensor.Pointer(dh),
            pdkv = HostTensor.Pointer(dkv),
            pdg = HostTensor.Pointer(dGainParts);
        HostTensor.InParts(
            tokens,
            (part, from, to) =>
            {
                var product = new float[d];
                for (var t = from; t < to; t++)
                {
                    var value = new ReadOnlySpan<float>(pkv + ((long)t * (m + 1) + m) * d, d);
                    var dValue = new Span<float>(pdkv + ((long)t * (m + 1) + m) * d, d);
                    dValue.Clear();
                    for (var s = 0; s < m; s++)
                    {
                        var at = (long)t * m + s;
                        var query = new ReadOnlySpan<float>(ph + at * d, d);
                        var key = new ReadOnlySpan<float>(pkv + ((long)t * (m + 1) + s) * d, d);
                        var du = new ReadOnlySpan<float>(pd + at * d, d);
                        var dQuery = new Span<float>(pdh + at * d, d);
                        var dKey = new Span<float>(pdkv + ((long)t * (m + 1) + s) * d, d);
                        var gain = new ReadOnlySpan<float>(pg + s * d, d);
                        var (rq, rk, score, alpha) = (pk[at * Kept], pk[at * Kept + 1], pk[at * Kept + 2], pk[at * Kept + 3]);

                        TensorPrimitives.MultiplyAdd(du, alpha, dValue, dValue);
                        var dScore = TensorPrimitives.Dot(du, value) * alpha * (1 - alpha);
                        if (root)
                            dScore = MathF.Abs(score) < GateFunction.RootFloor ? 0 : dScore / (2 * MathF.Sqrt(MathF.Abs(score)));

                        // score = <query ⊙ gain, key>·rq·rk/√d, and d(1/rms)/dx = −rms⁻³·x/d on either side.
                        var dDot = dScore * rq * rk / MathF.Sqrt(d);
                        TensorPrimitives.Multiply(query, key, product);
                        var dGain = new Span<float>(pdg + ((long)part * m + s) * d, d);
                        TensorPrimitives.MultiplyAdd(product, dDot, dGain, dGain);
                        TensorPrimitives.Multiply(key, gain, dQuery);
                        TensorPrimitives.Multiply(dQuery, dDot, dQuery);
                        TensorPrimitives.MultiplyAdd(query, -dScore * score * rq * rq / d, dQuery, dQuery);
                        TensorPrimitives.Multiply(query, gain, dKey);
                        TensorPrimitives.Multiply(dKey, dDot, dKey);
                        TensorPrimitives.MultiplyAdd(key, -dScore * score * rk * rk / d, dKey, dKey);
                    }
                }
            }
        );
        var dGains = dGainParts.sum([0L]);
        return [dh, dkv, dGains * keyGain, dGains * queryGain, null!];
    }
}

using System.Runtime.InteropServices;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Evaluation.Layers;

// Shape letters: M, N layers of the two models   n samples of a minibatch   D width

/// <summary>
/// Linear centered kernel alignment of all pairs of layers, by the unbiased minibatch estimator (Nguyen et al. 2021; Engram paper, equation
/// 8). With K = XXᵀ and L = YYᵀ whose diagonals are zero, HSIC₁ = [tr(KL) + (1ᵀK1)(1ᵀL1)/((n−1)(n−2)) − 2/(n−2)·1ᵀKL1] / (n(n−3)); CKA = Σ
/// HSIC₁(K, L) / √(Σ HSIC₁(K, K) · Σ HSIC₁(L, L)), the sums over minibatches taken before the ratio. In float64. It may be a little below 0
/// or above 1.
/// </summary>
/// <param name="rows">M.</param>
/// <param name="columns">N.</param>
public sealed class CenteredKernelAlignment(int rows, int columns)
{
    /// <summary>Fewest samples of a minibatch.</summary>
    public const int LeastSamples = 4;

    private readonly double[,] _both = new double[rows, columns];
    private readonly double[] _rowOnly = new double[rows];
    private readonly double[] _columnOnly = new double[columns];

    /// <summary>Samples so far.</summary>
    public long Samples { get; private set; }

    /// <summary>Adds a minibatch.</summary>
    /// <param name="x">States of the one model, [M, n, D].</param>
    /// <param name="xSamples">What the n samples are.</param>
    /// <param name="y">States of the other, [N, n, D′].</param>
    /// <param name="ySamples">What its samples are: the same, in the same order.</param>
    /// <exception cref="ArgumentException">The samples differ, or are fewer than four.</exception>
    public void Add(Tensor x, ReadOnlySpan<long> xSamples, Tensor y, ReadOnlySpan<long> ySamples)
    {
        if (!xSamples.SequenceEqual(ySamples))
            throw new ArgumentException("The samples of the two models are not the same, in the same order.", nameof(ySamples));
        if (xSamples.Length < LeastSamples)
            throw new ArgumentException($"A minibatch of {xSamples.Length} samples; at least {LeastSamples} are needed.", nameof(xSamples));
        using var scope = NewDisposeScope();
        double n = xSamples.Length;
        var ((k, kRows), (l, lRows)) = (Kernels(x), Kernels(y));
        double[] traces = Values(k.mm(l.t())),
            products = Values(kRows.mm(lRows.t()));
        double[] kSums = Values(kRows.sum(-1)),
            lSums = Values(lRows.sum(-1));
        double[] kTraces = Values((k * k).sum(-1)),
            lTraces = Values((l * l).sum(-1)),
            kProducts = Values((kRows * kRows).sum(-1)),
            lProducts = Values((lRows * lRows).sum(-1));
        for (var i = 0; i < rows; i++)
        {
            _rowOnly[i] += Hsic(kTraces[i], kSums[i], kSums[i], kProducts[i], n);
            for (var j = 0; j < columns; j++)
                _both[i, j] += Hsic(traces[(i * columns) + j], kSums[i], lSums[j], products[(i * columns) + j], n);
        }

        for (var j = 0; j < columns; j++)
            _columnOnly[j] += Hsic(lTraces[j], lSums[j], lSums[j], lProducts[j], n);
        Samples += xSamples.Length;
    }

    /// <summary>The alignment of every pair of layers, [M, N]; not a number where a layer's states do not vary.</summary>
    public double[,] Values()
    {
        var values = new double[rows, columns];
        for (var i = 0; i < rows; i++)
        for (var j = 0; j < columns; j++)
            values[i, j] = _both[i, j] / Math.Sqrt(_rowOnly[i] * _columnOnly[j]);
        return values;
    }

    private static double Hsic(double trace, double kSum, double lSum, double product, double n) =>
        (trace + (kSum * lSum / ((n - 1) * (n - 2))) - (2 / (n - 2) * product)) / (n * (n - 3));

    /// <summary>[M, n, D] → kernels without diagonals [M, n²], and the sums of their rows [M, n].</summary>
    private static (Tensor Flat, Tensor Rows) Kernels(Tensor x)
    {
        var wide = x.to(ScalarType.Float64);
        var n = wide.size(1);
        var kernels = wide.matmul(wide.transpose(1, 2)).ZeroOutside(eye(n, dtype: ScalarType.Bool, device: x.device).logical_not());
        return (kernels.reshape(wide.size(0), n * n), kernels.sum(-1));
    }

    private static double[] Values(Tensor tensor)
    {
        using var host = tensor.cpu().contiguous();
        return MemoryMarshal.Cast<byte, double>(host.bytes).ToArray();
    }
}

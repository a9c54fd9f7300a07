using Engram.Evaluation.Layers;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Evaluation;

public class CenteredKernelAlignmentTests
{
    private static readonly double[,] FirstX =
        {
            { 1, 0 },
            { 0, 1 },
            { 1, 1 },
            { 2, -1 },
            { 0, 3 },
        },
        FirstY =
        {
            { 1 },
            { 2 },
            { 0 },
            { -1 },
            { 1 },
        };
    private static readonly double[,] SecondX =
        {
            { 2, 1 },
            { 1, -1 },
            { 0, 2 },
            { -1, 1 },
            { 3, 0 },
        },
        SecondY =
        {
            { 0 },
            { 1 },
            { 1 },
            { 2 },
            { -2 },
        };
    private static readonly long[] Five = [0, 1, 2, 3, 4];

    /// <summary>HSIC₁ by hand: 0.5666667 / √(4.3666667 · 1.1666667), and 3.2666667 / √(7.6 · 2.5).</summary>
    [Fact]
    public void Minibatches_computed_by_hand()
    {
        Assert.Equal(0.5666667 / Math.Sqrt(4.3666667 * 1.1666667), Cka((FirstX, FirstY)), 1e-7);
        Assert.Equal(0.2510610, Cka((FirstX, FirstY)), 1e-7);
        Assert.Equal(3.2666667 / Math.Sqrt(7.6 * 2.5), Cka((SecondX, SecondY)), 1e-7);
        Assert.Equal(0.7494247, Cka((SecondX, SecondY)), 1e-7);
    }

    [Fact]
    public void Minibatches_are_summed_before_the_ratio_in_any_order()
    {
        Assert.Equal(0.5787011, Cka((FirstX, FirstY), (SecondX, SecondY)), 1e-7);
        Assert.Equal(Cka((FirstX, FirstY), (SecondX, SecondY)), Cka((SecondX, SecondY), (FirstX, FirstY)), 1e-15);
    }

    [Fact]
    public void States_are_like_themselves_turned_mirrored_or_scaled_and_not_like_themselves_stretched()
    {
        using var scope = NewDisposeScope();
        var x = Random(1, 64, 6);
        var (turned, _) = linalg.qr(Random(2, 6, 6));
        Assert.Equal(1, Cka(x, x), 1e-12);
        Assert.Equal(1, Cka(x, x.matmul(turned)), 1e-12);
        Assert.Equal(1, Cka(x, x * 7.5), 1e-12);
        var stretched = x * tensor(new double[] { 20, 1, 1, 1, 1, 1 });
        Assert.InRange(Cka(x, stretched), 0.1, 0.9);
        Assert.Equal(Cka(x, stretched), Cka(x.matmul(turned), stretched.matmul(turned)), 1e-12);
    }

    [Fact]
    public void Independent_states_are_not_alike()
    {
        using var scope = NewDisposeScope();
        Assert.InRange(Cka(Random(3, 512, 32), Random(4, 512, 24)), -0.05, 0.05);
    }

    /// <summary>Every pair of layers at once gives what each pair gives alone.</summary>
    [Fact]
    public void All_pairs_are_the_pairs()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Random(5, 3, 10, 4), Random(6, 2, 10, 5));
        var alignment = new CenteredKernelAlignment(3, 2);
        long[] samples = [.. Enumerable.Range(0, 10).Select(i => (long)i)];
        alignment.Add(x, samples, y, samples);
        Assert.Equal(10, alignment.Samples);
        var values = alignment.Values();
        for (var i = 0; i < 3; i++)
        for (var j = 0; j < 2; j++)
            Assert.Equal(Reference(Matrix(x[i]), Matrix(y[j])), values[i, j], 1e-12);
    }

    [Fact]
    public void Other_samples_and_too_few_are_refused()
    {
        using var scope = NewDisposeScope();
        var alignment = new CenteredKernelAlignment(1, 1);
        var (x, y) = (Random(1, 1, 4, 2), Random(2, 1, 4, 2));
        Assert.Contains("same order", Assert.Throws<ArgumentException>(() => alignment.Add(x, [1, 2, 3, 4], y, [1, 2, 4, 3])).Message);
        Assert.Contains("at least 4", Assert.Throws<ArgumentException>(() => alignment.Add(x, [1, 2, 3], y, [1, 2, 3])).Message);
    }

    /// <summary>The definition, element by element.</summary>
    private static double Reference(double[,] x, double[,] y)
    {
        return Hsic(x, y) / Math.Sqrt(Hsic(x, x) * Hsic(y, y));

        static double Hsic(double[,] x, double[,] y)
        {
            var n = x.GetLength(0);
            var (trace, kSum, lSum, product) = (0.0, 0.0, 0.0, 0.0);
            for (var a = 0; a < n; a++)
            {
                var (kRow, lRow) = (0.0, 0.0);
                for (var b = 0; b < n; b++)
                {
                    trace += Dot(x, a, b) * Dot(y, b, a);
                    (kRow, lRow) = (kRow + Dot(x, a, b), lRow + Dot(y, a, b));
                }

                (kSum, lSum, product) = (kSum + kRow, lSum + lRow, product + kRow * lRow);
            }

            return (trace + kSum * lSum / ((n - 1) * (n - 2)) - 2.0 / (n - 2) * product) / (n * (n - 3));
        }

        static double Dot(double[,] x, int a, int b) => a == b ? 0 : Enumerable.Range(0, x.GetLength(1)).Sum(i => x[a, i] * x[b, i]);
    }

    private static double Cka(params (double[,] X, double[,] Y)[] batches)
    {
        using var scope = NewDisposeScope();
        var alignment = new CenteredKernelAlignment(1, 1);
        foreach (var (x, y) in batches)
            alignment.Add(tensor(x).unsqueeze(0), Five, tensor(y).unsqueeze(0), Five);
        return alignment.Values()[0, 0];
    }

    private static double Cka(Tensor x, Tensor y) => Cka((Matrix(x), Matrix(y)), x.size(0));

    private static double Cka((double[,] X, double[,] Y) batch, long count)
    {
        var alignment = new CenteredKernelAlignment(1, 1);
        long[] samples = [.. Enumerable.Range(0, (int)count).Select(i => (long)i)];
        alignment.Add(tensor(batch.X).unsqueeze(0), samples, tensor(batch.Y).unsqueeze(0), samples);
        return alignment.Values()[0, 0];
    }

    private static double[,] Matrix(Tensor x)
    {
        var (values, width) = (x.contiguous().data<double>().ToArray(), (int)x.size(1));
        var matrix = new double[x.size(0), width];
        for (var i = 0; i < values.Length; i++)
            matrix[i / width, i % width] = values[i];
        return matrix;
    }

    private static Tensor Random(long seed, params long[] shape) =>
        randn(shape, ScalarType.Float64, generator: new Generator((ulong)seed, CPU));
}

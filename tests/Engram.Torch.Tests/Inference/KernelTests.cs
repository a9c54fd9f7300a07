using Engram.Inference.Kernels;

namespace Engram.Torch.Tests.Inference;

/// <summary>Matrix kernels of every vector tier against sums in double precision.</summary>
public sealed unsafe class KernelTests
{
    public static TheoryData<string, bool> Tiers()
    {
        var tiers = new TheoryData<string, bool>();
        foreach (var tier in Enum.GetValues<VectorTier>().Where(tier => tier <= VectorTiers.Best))
            foreach (var half in new[] { false, true })
                tiers.Add(tier.ToString(), half);
        return tiers;
    }

    [Theory, MemberData(nameof(Tiers))]
    public void Products_are_those_in_double_precision_and_do_not_depend_on_neighbours(string tierName, bool half)
    {
        var (tier, random) = (Enum.Parse<VectorTier>(tierName), new Random(1));
        foreach (var columns in new[] { 1, 5, 8, 16, 31, 34, 48, 100 })
            foreach (var rows in new[] { 1, 7, 8, 19 })
                foreach (var vectors in new[] { 1, 3, 4, 9 })
                {
                    var (w, stored) = Weights(random, rows * columns, half);
                    var x = Values(random, vectors * columns);
                    var (y, alone) = (new float[vectors * rows], new float[1]);
                    fixed (byte* pw = stored)
                    fixed (float* px = x, py = y, pa = alone)
                    {
                        var matrix = new Matrix((nint)pw, rows, columns, half ? ValueFormat.BFloat16 : ValueFormat.Float32);
                        MatrixProduct.Multiply(tier, matrix, px, columns, vectors, py, rows);
                        for (var n = 0; n < vectors; n++)
                            for (var r = 0; r < rows; r++)
                            {
                                var (sum, size) = (0.0, 0.0);
                                for (var k = 0; k < columns; k++)
                                    (sum, size) = (sum + (double)w[r * columns + k] * x[n * columns + k], size + Math.Abs(w[r * columns + k] * x[n * columns + k]));
                                Assert.Equal(sum, y[n * rows + r], 1e-6 * size + 1e-12);
                                MatrixProduct.Multiply(tier, matrix.Slice(r, 1), px + n * columns, columns, 1, pa, 1);
                                Assert.Equal(alone[0], y[n * rows + r]);
                            }
                    }
                }
    }

    [Theory, MemberData(nameof(Tiers))]
    public void Mixtures_are_those_in_double_precision(string tierName, bool half)
    {
        var (tier, random) = (Enum.Parse<VectorTier>(tierName), new Random(2));
        foreach (var width in new[] { 1, 15, 16, 48, 64, 130 })
            foreach (var count in new[] { 1, 2, 17 })
            {
                var stride = width + 3;
                var (w, stored) = Weights(random, count * stride, half);
                var (a, y) = (Values(random, count), new float[width]);
                fixed (byte* pw = stored)
                fixed (float* pa = a, py = y)
                    RowMixture.Mix(tier, (nint)pw, stride, count, pa, width, py, half ? ValueFormat.BFloat16 : ValueFormat.Float32);
                for (var i = 0; i < width; i++)
                {
                    var (sum, size) = (0.0, 0.0);
                    for (var u = 0; u < count; u++)
                        (sum, size) = (sum + (double)a[u] * w[u * stride + i], size + Math.Abs(a[u] * w[u * stride + i]));
                    Assert.Equal(sum, y[i], 1e-6 * size + 1e-12);
                }
            }
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];

    private static (float[] Values, byte[] Stored) Weights(Random random, int count, bool half)
    {
        var values = Values(random, count);
        if (!half)
            return (values, [.. values.SelectMany(BitConverter.GetBytes)]);
        var halves = values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)).ToArray();
        return ([.. halves.Select(value => BitConverter.UInt32BitsToSingle((uint)value << 16))], [.. halves.SelectMany(BitConverter.GetBytes)]);
    }
}

using System.Runtime.Intrinsics.X86;
using Engram.Inference.Kernels;
using Engram.Tables.Formats;

namespace Engram.Torch.Tests.Inference;

/// <summary>
/// Matrix kernels of every vector tier and format against sums in double precision, and against the same tier over the decoded values, bit
/// for bit.
/// </summary>
public sealed unsafe class KernelTests
{
    public static TheoryData<string, string> Tiers()
    {
        var tiers = new TheoryData<string, string>();
        foreach (var tier in Enum.GetValues<VectorTier>().Where(tier => tier <= VectorTiers.Best))
        foreach (var format in Enum.GetValues<ValueFormat>())
            tiers.Add(tier.ToString(), format.ToString());
        return tiers;
    }

    [Theory, MemberData(nameof(Tiers))]
    public void Products_are_those_in_double_precision_and_do_not_depend_on_neighbours(string tierName, string formatName)
    {
        var (tier, format, random) = (Enum.Parse<VectorTier>(tierName), Enum.Parse<ValueFormat>(formatName), new Random(1));
        foreach (
            var columns in new[] { 1, 5, 8, 16, 24, 31, 34, 48, 64, 70, 100, 208 }.Where(columns =>
                format != ValueFormat.Int4 || columns % 2 == 0
            )
        )
        foreach (var rows in new[] { 1, 7, 8, 19 })
        foreach (var vectors in new[] { 1, 3, 4, 9 })
        {
            var (w, stored, scales) = Weights(random, rows, columns, format);
            var x = Values(random, vectors * columns);
            float[] y = new float[vectors * rows],
                decoded = new float[vectors * rows],
                alone = new float[1];
            fixed (
                byte* pw = stored,
                    ps = scales
            )
            fixed (
                float* px = x,
                    py = y,
                    pd = decoded,
                    pv = w,
                    pa = alone
            )
            {
                var matrix = new Matrix((nint)pw, rows, columns, format, (nint)ps);
                MatrixProduct.Multiply(tier, matrix, px, columns, vectors, py, rows);
                MatrixProduct.Multiply(tier, new Matrix((nint)pv, rows, columns), px, columns, vectors, pd, rows);
                Assert.Equal(decoded, y);
                for (var n = 0; n < vectors; n++)
                for (var r = 0; r < rows; r++)
                {
                    var (sum, size) = (0.0, 0.0);
                    for (var k = 0; k < columns; k++)
                        (sum, size) = (
                            sum + (double)w[r * columns + k] * x[n * columns + k],
                            size + Math.Abs(w[r * columns + k] * x[n * columns + k])
                        );
                    Assert.Equal(sum, y[n * rows + r], 1e-6 * size + 1e-12);
                    MatrixProduct.Multiply(tier, matrix.Slice(r, 1), px + n * columns, columns, 1, pa, 1);
                    Assert.Equal(alone[0], y[n * rows + r]);
                }
            }
        }
    }

    [Theory, MemberData(nameof(Tiers))]
    public void Mixtures_are_those_in_double_precision(string tierName, string formatName)
    {
        var (tier, format, random) = (Enum.Parse<VectorTier>(tierName), Enum.Parse<ValueFormat>(formatName), new Random(2));
        foreach (var columns in new[] { 1, 15, 16, 24, 48, 64, 130 }.Where(columns => format != ValueFormat.Int4 || columns % 2 == 0))
        foreach (var count in new[] { 1, 2, 17 })
        foreach (var width in new[] { columns, (columns + 1) / 2 })
        {
            var (w, stored, scales) = Weights(random, count, columns, format);
            var (a, y) = (Values(random, count), new float[width]);
            fixed (
                byte* pw = stored,
                    ps = scales
            )
            fixed (
                float* pa = a,
                    py = y
            )
            {
                var matrix = new Matrix((nint)pw, count, columns, format, (nint)ps);
                RowMixture.Mix(tier, matrix, matrix.RowBytes, width, pa, py);
            }

            for (var i = 0; i < width; i++)
            {
                var (sum, size) = (0.0, 0.0);
                for (var u = 0; u < count; u++)
                    (sum, size) = (sum + (double)a[u] * w[u * columns + i], size + Math.Abs(a[u] * w[u * columns + i]));
                Assert.Equal(sum, y[i], 1e-6 * size + 1e-12);
            }
        }
    }

    [Fact]
    public void Both_ways_to_unpack_half_bytes_give_their_codes()
    {
        Assert.SkipUnless(VectorTiers.Best == VectorTier.Vector512 && Avx512Vbmi.IsSupported, "This processor has no AVX-512 with VBMI.");
        var random = new Random(5);
        for (var round = 0; round < 100; round++)
        {
            var source = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            var (codes, atOnce) = (Lanes512.Codes(source), Lanes512.CodesAtOnce(source));
            for (var lane = 0; lane < 16; lane++)
            {
                Assert.Equal(source >> 4 * lane & 15, codes[lane] & 15);
                Assert.Equal(source >> 4 * lane & 15, atOnce[lane] & 15);
            }
        }
    }

    [Theory]
    [InlineData("Scalar")]
    [InlineData("Vector256")]
    [InlineData("Vector512")]
    public void Mixtures_together_have_the_bits_of_mixtures_alone(string tierName)
    {
        var (tier, random) = (Enum.Parse<VectorTier>(tierName), new Random(4));
        Assert.SkipWhen(tier > VectorTiers.Best, $"This processor has no {tier}.");
        foreach (var width in new[] { 1, 9, 31, 32, 64, 71 })
        foreach (var count in new[] { 1, 127, 128, 300 })
        foreach (var mixtures in new[] { 1, 3, 4, 9 })
        {
            var (stride, weightStride) = (width + 3, count + 5);
            var (rows, weights) = (Values(random, count * stride), Values(random, mixtures * weightStride));
            float[] together = new float[mixtures * width],
                alone = new float[mixtures * width];
            fixed (
                float* pr = rows,
                    pw = weights,
                    pt = together,
                    pa = alone
            )
            {
                var matrix = new Matrix((nint)pr, count, width);
                RowMixture.MixSeveral(tier, matrix, stride, pw, weightStride, mixtures, pt);
                for (var m = 0; m < mixtures; m++)
                    RowMixture.Mix(tier, matrix, stride * sizeof(float), width, pw + m * weightStride, pa + m * width);
            }

            Assert.Equal(alone, together);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Parts_of_a_list_of_products_give_the_bits_of_the_products(int threads)
    {
        var random = new Random(3);
        var (list, sizes) = (
            new ProductList(),
            new (int Rows, int Columns, int Vectors)[] { (300, 64, 3), (8, 500, 1), (1, 7, 2), (1001, 40, 4) }
        );
        var (ws, xs) = (
            sizes.Select(s => Values(random, s.Rows * s.Columns)).ToArray(),
            sizes.Select(s => Values(random, s.Vectors * s.Columns)).ToArray()
        );
        var pins = ws.Concat(xs)
            .Select(values => System.Runtime.InteropServices.GCHandle.Alloc(values, System.Runtime.InteropServices.GCHandleType.Pinned))
            .ToArray();
        var results = sizes.Select(s => GC.AllocateArray<float>(s.Rows * s.Vectors, pinned: true)).ToArray();
        for (var i = 0; i < sizes.Length; i++)
            fixed (float* y = results[i])
                list.Add(
                    new Matrix(pins[i].AddrOfPinnedObject(), sizes[i].Rows, sizes[i].Columns),
                    (float*)pins[sizes.Length + i].AddrOfPinnedObject(),
                    sizes[i].Vectors,
                    y
                );
        var parts = list.Cut(threads);
        Assert.Equal(threads == 1, parts == 1);
        Assert.True(parts <= 4 * threads);
        for (var part = parts - 1; part >= 0; part--)
            list.Run(part, parts);
        for (var i = 0; i < sizes.Length; i++)
        {
            var expected = new float[results[i].Length];
            fixed (
                float* w = ws[i],
                    x = xs[i],
                    y = expected
            )
                MatrixProduct.Multiply(new Matrix((nint)w, sizes[i].Rows, sizes[i].Columns), x, sizes[i].Vectors, y);
            Assert.Equal(expected, results[i]);
        }

        foreach (var pin in pins)
            pin.Free();
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];

    /// <summary>Random rows as they are stored, and what they stand for.</summary>
    private static (float[] Values, byte[] Stored, byte[] Scales) Weights(Random random, int rows, int columns, ValueFormat format)
    {
        var row = format switch
        {
            ValueFormat.Float32 => RowFormat.Float32,
            ValueFormat.BFloat16 => RowFormat.BFloat16,
            ValueFormat.Int8 => RowFormat.Int8(Matrix.GroupSize),
            _ => RowFormat.Int4(Matrix.GroupSize),
        };
        var values = Values(random, rows * columns);
        byte[] stored = new byte[rows * row.ValueBytes(columns)],
            scales = new byte[Math.Max(2, rows * row.ScaleBytes(columns))];
        fixed (float* v = values)
        fixed (
            byte* b = stored,
                s = scales
        )
        {
            var all = new StoredRows(b, s, columns, row);
            all.Encode(0, rows, v);
            for (var r = 0L; r < rows; r++)
                all.Gather(&r, 1, v + r * columns);
        }

        return (values, stored, scales);
    }
}

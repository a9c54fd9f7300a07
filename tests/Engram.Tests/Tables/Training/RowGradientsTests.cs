using Engram.Tables.Training;

namespace Engram.Tests.Tables.Training;

/// <summary>Sums of gradients per distinct row, at any size.</summary>
public unsafe class RowGradientsTests
{
    /// <summary>
    /// An update of the published shape: 1,280 sequences of 4,096 tokens, 16 rows each of width 80, up to half of them distinct.
    /// </summary>
    [Fact]
    public void Offsets_of_the_published_size_do_not_overflow()
    {
        const int distinct = 1280 * 4096 * 16 / 2;
        Assert.Equal(3_355_443_200, RowGradients.Offset(distinct, 80));
        Assert.Equal((long)int.MaxValue * (1 << 16), RowGradients.Offset(int.MaxValue, 1 << 16));
        Assert.True(RowGradients.Offset(distinct, 80) > int.MaxValue);
    }

    [Fact]
    public void Sums_over_parts_are_those_over_all_and_stale_values_never_show()
    {
        using var sums = new RowGradients(3);
        for (var round = 0; round < 3; round++)
        {
            // Rows 0, 1, 0, 2 | 1, 3, 3: numbered by first appearance over both parts.
            sums.Begin(4);
            Add(sums, [0, 1, 0, 2], round);
            Assert.Throws<InvalidOperationException>(() =>
            {
                _ = sums.Values;
            });
            Add(sums, [1, 3, 3], round + 100);
            float[] expected =
            [
                .. Row(round, 0, 2),
                .. Row(round, 1).Zip(Row(round + 100, 0), (a, b) => a + b),
                .. Row(round, 3),
                .. Row(round + 100, 1, 2),
            ];
            Assert.Equal(expected, new ReadOnlySpan<float>(sums.Values, 12));
            Assert.Equal(expected.Sum(value => (double)value * value), sums.SumOfSquares(1), 1e-9);
            sums.Clear(3);
            Assert.Equal([0, 0, 0], new ReadOnlySpan<float>(sums.Values + 9, 3));
        }
        sums.Begin(2);
        Assert.Contains("order", Assert.Throws<InvalidOperationException>(() => Add(sums, [1], 0)).Message);

        static IEnumerable<float> Row(int seed, params int[] reads) =>
            Enumerable.Range(0, 3).Select(i => reads.Aggregate(0f, (sum, read) => sum + Value(seed, read * 3 + i)));
    }

    private static float Value(int seed, int i) => seed + 0.25f * i - 1;

    private static void Add(RowGradients sums, int[] inverse, int seed)
    {
        float[] gradients = [.. Enumerable.Range(0, inverse.Length * 3).Select(i => Value(seed, i))];
        fixed (float* pointer = gradients)
            sums.Add(inverse, pointer);
    }

    /// <summary>
    /// The norm decides on clipping, so it must not depend on threads; and float32 sums of millions of squares lose digits.
    /// </summary>
    [Fact]
    public void Sum_of_squares_has_the_same_bits_on_any_number_of_threads_and_is_exact()
    {
        const int rows = 40_001,
            width = 20;
        using var sums = new RowGradients(width);
        var random = new Random(1);
        var gradients = new float[rows * width];
        foreach (ref var value in gradients.AsSpan())
            value = (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-18, 3));
        sums.Begin(rows);
        fixed (float* pointer = gradients)
            sums.Add([.. Enumerable.Range(0, rows)], pointer);
        var one = sums.SumOfSquares(1);
        foreach (var threads in (int[])[2, 3, 8])
            Assert.Equal(one, sums.SumOfSquares(threads));
        var exact = gradients.Sum(value => (decimal)((double)value * value));
        Assert.Equal(1, one / (double)exact, 1e-12);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(10_007)]
    public void Squares_in_vectors_have_the_bits_of_one_value_after_the_other(int length)
    {
        var random = new Random(length);
        float[] values = [.. Enumerable.Range(0, length).Select(_ => (random.NextSingle() - 0.5f) * 1e19f)];
        var sum = RowArithmetic.SumOfSquaresInDouble(values);
        Assert.Equal(RowArithmetic.SumOfSquaresInDouble(values, vectors: false), sum);
        Assert.Equal(values.Sum(value => (double)value * value), sum, 1e-13 * sum);
    }
}

using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Training;
using Engram.Tests.Storage;

namespace Engram.Tests.Tables.Training;

public sealed class RowAdagradTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// g = (3, 4): h = 25/2, so the row moves by 0.1·(3, 4)/√12.5. Then g = (0, 1): h = 13, and it moves by 0.1·(0, 1)/√13.
    /// </summary>
    [Fact]
    public void Two_updates_by_hand()
    {
        using var table = new EngramTable(3, 2);
        using var adagrad = new RowAdagrad(table);
        adagrad.Step([1], [3, 4], 0.1);
        Assert.Equal([-0.3f / MathF.Sqrt(12.5f), -0.4f / MathF.Sqrt(12.5f)], table.Row(1).ToArray(), (a, b) => Math.Abs(a - b) < 1e-7f);
        adagrad.Step([1], [0, 1], 0.1);
        Assert.Equal(-0.4f / MathF.Sqrt(12.5f) - 0.1f / MathF.Sqrt(13), table.Row(1)[1], 1e-7f);
        Assert.Equal([0, 0], table.Row(0).ToArray());

        adagrad.Save(_folder.File("state"), "t");
        using var file = SafetensorsFile.Open(_folder.File("state"));
        var (rows, sums) = (new long[1], new float[1]);
        file.CopyTo("t.rows", rows, 1);
        file.CopyTo("t.sum", sums, 1);
        Assert.Equal((1L, 13f), (rows[0], sums[0]));
    }

    [Fact]
    public void It_follows_the_formula_in_double()
    {
        const int rows = 6,
            width = 19;
        using var table = Optimizers.Normal(rows, width);
        using var adagrad = new RowAdagrad(table);
        var expected = Optimizers.Values(table).Select(value => (double)value).ToArray();
        var sums = new double[rows];
        var random = new Random(3);
        for (var step = 0; step < 300; step++)
        {
            var (touched, gradients) = Optimizers.Batch(random, rows, width);
            adagrad.Step(touched, gradients, 1e-2, 0.5f);
            for (var i = 0; i < touched.Length; i++)
            {
                if (touched[i] < 0)
                    continue;
                var gradient = gradients.Skip(i * width).Take(width).Select(g => 0.5 * g).ToArray();
                sums[touched[i]] += gradient.Sum(g => g * g) / width;
                for (var column = 0; column < width; column++)
                    expected[touched[i] * width + column] -= 1e-2 * gradient[column] / Math.Sqrt(sums[touched[i]]);
            }
        }
        Assert.All(expected.Zip(Optimizers.Values(table)), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    [Fact]
    public void Rows_that_are_not_read_keep_every_bit()
    {
        using var table = Optimizers.Normal(5, 6);
        using var adagrad = new RowAdagrad(table);
        var before = Optimizers.Bits(table);
        adagrad.Step([3, -1], Enumerable.Repeat(1f, 12).ToArray(), 1);
        var after = Optimizers.Bits(table);
        Assert.Equal(before[..18], after[..18]);
        Assert.Equal(before[24..], after[24..]);
        Assert.All(before[18..24].Zip(after[18..24]), pair => Assert.NotEqual(pair.First, pair.Second));
    }
}

using Engram.Evaluation.Layers;

namespace Engram.Torch.Tests.Evaluation;

public class SoftAlignmentTests
{
    /// <summary>The five largest of the column are rows 2, 3, 4, 6 and 7: (0.9·2 + 0.8·3 + 0.3·4 + 0.7·6 + 0.6·7) / 3.3.</summary>
    [Fact]
    public void A_column_computed_by_hand() => Assert.Equal(4.1818182, SoftAlignment.Of(Column(.1, .2, .9, .8, .3, .05, .7, .6))[0], 1e-7);

    [Fact]
    public void Of_equal_rows_the_lower_comes_first() => Assert.Equal(0.5, SoftAlignment.Of(Column(1, 1, 1, 1), nearest: 2)[0], 1e-15);

    [Fact]
    public void Fewer_rows_than_asked_for_are_all_taken() => Assert.Equal(2.0 / 3, SoftAlignment.Of(Column(1, 2))[0], 1e-15);

    [Fact]
    public void Columns_are_aligned_each_by_itself() =>
        Assert.Equal(
            [0.0, 1],
            SoftAlignment.Of(
                new double[,]
                {
                    { 1, 0.1 },
                    { 0.2, 1 },
                },
                nearest: 1
            )
        );

    private static double[,] Column(params double[] values)
    {
        var column = new double[values.Length, 1];
        for (var i = 0; i < values.Length; i++)
            column[i, 0] = values[i];
        return column;
    }
}

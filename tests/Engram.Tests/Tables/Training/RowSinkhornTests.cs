using Engram.Tables;
using Engram.Tables.Training;

namespace Engram.Tests.Tables.Training;

/// <summary>The sparse form against the published algorithm on the whole matrix, in double.</summary>
public sealed class RowSinkhornTests
{
    /// <summary>Algorithm 1 as it is stated.</summary>
    private sealed class Dense(int rows, int width, double tau = 1e-3)
    {
        private const double Beta = 0.95,
            Gamma = 0.18,
            Epsilon = 1e-20;
        private const int Iterations = 11;

        private readonly double[] _momentum = new double[rows * width];

        public double[] Values { get; init; } = new double[rows * width];

        public bool[] Masked { get; } = new bool[rows];

        public void Step(double[] gradient, double learningRate)
        {
            var u = new double[rows * width];
            for (var i = 0; i < u.Length; i++)
            {
                _momentum[i] = Beta * _momentum[i] + (1 - Beta) * gradient[i];
                u[i] = Beta * _momentum[i] + (1 - Beta) * gradient[i];
            }
            var norms = Enumerable.Range(0, rows).Select(row => Norm(u, row * width, 1, width)).ToArray();
            var mean = norms.Average();
            for (var row = 0; row < rows; row++)
            {
                Masked[row] = norms[row] <= tau * mean;
                if (Masked[row])
                    Array.Clear(u, row * width, width);
            }
            for (var j = 1; j <= Iterations; j++)
                if (j % 2 == 1)
                    for (var row = 0; row < rows; row++)
                        Divide(u, row * width, 1, width);
                else
                    for (var column = 0; column < width; column++)
                        Divide(u, column, width, rows);
            for (var i = 0; i < u.Length; i++)
                Values[i] -= Gamma * learningRate * Math.Sqrt(width) * u[i];
        }

        private static void Divide(double[] u, int start, int stride, int count)
        {
            var norm = Norm(u, start, stride, count) + Epsilon;
            for (var i = 0; i < count; i++)
                u[start + i * stride] /= norm;
        }

        private static double Norm(double[] u, int start, int stride, int count)
        {
            var sum = 0.0;
            for (var i = 0; i < count; i++)
                sum += u[start + i * stride] * u[start + i * stride];
            return Math.Sqrt(sum);
        }
    }

    [Theory]
    [InlineData(12, 5, 0.4, 200)]
    [InlineData(40, 8, 0.05, 500)]
    [InlineData(3, 1, 0.5, 50)]
    [InlineData(600, 16, 0.02, 300)]
    public void Step_by_step_it_equals_the_whole_matrix(int rows, int width, double share, int steps)
    {
        using var table = Optimizers.Normal(rows, width);
        using var sinkhorn = new RowSinkhorn(table);
        var dense = new Dense(rows, width) { Values = [.. Optimizers.Values(table).Select(value => (double)value)] };
        var random = new Random(rows);
        var (masked, released) = (0, 0);
        for (var step = 0; step < steps; step++)
        {
            var before = Optimizers.Values(table);
            var reference = (double[])dense.Values.Clone();
            var (touched, gradients) = Optimizers.Batch(random, rows, width, share);
            if (step % 7 == 3)
                (touched, gradients) = ([], []);
            var whole = new double[rows * width];
            for (var i = 0; i < touched.Length; i++)
            for (var column = 0; touched[i] >= 0 && column < width; column++)
                whole[touched[i] * width + column] = 0.5 * gradients[i * width + column];
            sinkhorn.Step(touched, gradients, 0.1, 0.5f);
            dense.Step(whole, 0.1);
            var after = Optimizers.Values(table);
            for (var row = 0; row < rows; row++)
            {
                var sum = 0.0;
                for (var column = 0; column < width; column++)
                {
                    var at = row * width + column;
                    // The step itself, of size 0.018, from float32 directions.
                    Assert.Equal(dense.Values[at] - reference[at], (double)after[at] - before[at], 2e-6);
                    if (dense.Masked[row])
                        Assert.Equal(before[at], after[at]);
                    sum += Math.Pow((double)after[at] - before[at], 2);
                }
                if (!dense.Masked[row])
                    Assert.Equal(0.18 * 0.1, Math.Sqrt(sum / width), 1e-6);
            }
            masked += dense.Masked.Count(is0 => is0);
            released += rows - sinkhorn.FollowedRows;
        }
        Assert.True(masked > 0, "the mask hid no row");
        Assert.True(released > 0, "all rows were followed at all times");
        // 500 steps whose parts of float32 values each round by up to 4e-9.
        Assert.All(dense.Values.Zip(Optimizers.Values(table)), pair => Assert.Equal(pair.First, pair.Second, 2e-5));
    }

    /// <summary>
    /// A row that was let go must come back when the others all but vanish: a gradient that cancels 99 % of the momentum of the row with
    /// most of the norm.
    /// </summary>
    [Fact]
    public void A_row_let_go_returns_when_the_mean_norm_collapses()
    {
        const int rows = 2,
            width = 2;
        using var table = new EngramTable(rows, width);
        using var sinkhorn = new RowSinkhorn(table);
        var dense = new Dense(rows, width);
        Step([1], [1e-5f, 2e-5f]);
        Step([0], [1, 0.5f]);
        Assert.Equal(1, sinkhorn.FollowedRows);
        Assert.True(dense.Masked[1]);
        var before = table.Row(1).ToArray();
        // But for the 0.99, Ĝ = β(βz + (1 − β)g) + (1 − β)g is zero for g = −β²z/((1 − β)(1 + β)), z = (0.05, 0.025) by now.
        var back = -0.99f * 0.95f * 0.95f / (0.05f * 1.95f);
        Step([0], [back * 0.05f, back * 0.025f]);
        Assert.False(dense.Masked[1]);
        Assert.NotEqual(before, table.Row(1).ToArray());
        Assert.All(dense.Values.Zip(Optimizers.Values(table)), pair => Assert.Equal(pair.First, pair.Second, 1e-5));

        void Step(long[] touched, float[] gradients)
        {
            sinkhorn.Step(touched, gradients, 0.1);
            var whole = new double[rows * width];
            for (var i = 0; i < gradients.Length; i++)
                whole[touched[0] * width + i] = gradients[i];
            dense.Step(whole, 0.1);
        }
    }

    /// <summary>Momentum alone moves a row by full steps until the mask, here a hundredth of the mean norm, hides it.</summary>
    [Fact]
    public void A_row_read_once_moves_until_its_momentum_has_sunk_below_the_mask()
    {
        using var table = new EngramTable(2, 4);
        using var sinkhorn = new RowSinkhorn(table, tau: 0.01);
        sinkhorn.Step([0], [1, 0, 0, 0], 0.1);
        var moved = 1;
        for (var step = 0; step < 300; step++)
        {
            // The other row holds the mean at half its own norm.
            var before = table.Row(0)[0];
            sinkhorn.Step([1], [0, 1, 0, 0], 0.1);
            if (table.Row(0)[0] != before)
                moved = step + 2;
        }
        // n updates later the norms are 0.05·0.95ⁿ⁺¹ and 1 − 0.95ⁿ⁺¹: the first is above 0.01 times the mean up to n = 45.
        Assert.Equal(46, moved);
        Assert.Equal(1, sinkhorn.FollowedRows);
    }

    [Fact]
    public void Bfloat16_momentum_stays_near_float32()
    {
        const int rows = 30,
            width = 16;
        using var exactTable = Optimizers.Normal(rows, width);
        using var halfTable = Optimizers.Normal(rows, width);
        using var exact = new RowSinkhorn(exactTable);
        using var half = new RowSinkhorn(halfTable, moments: MomentFormat.BFloat16);
        var random = new Random(2);
        for (var step = 0; step < 100; step++)
        {
            var (touched, gradients) = Optimizers.Batch(random, rows, width);
            exact.Step(touched, gradients, 0.01);
            half.Step(touched, gradients, 0.01);
        }
        // Of 100 steps of 0.0018 (root mean square), each with a direction rounded to 8 bits.
        Assert.All(Optimizers.Values(exactTable).Zip(Optimizers.Values(halfTable)), pair => Assert.Equal(pair.First, pair.Second, 0.004f));
        Assert.NotEqual(Optimizers.Bits(exactTable), Optimizers.Bits(halfTable));
    }

    [Fact]
    public void Settings_out_of_range_are_refused()
    {
        using var table = new EngramTable(2, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowSinkhorn(table, beta: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowSinkhorn(table, gamma: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowSinkhorn(table, iterations: 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowSinkhorn(table, tau: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowSinkhorn(table, epsilon: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowAdagrad(table, epsilon: 0));
    }
}

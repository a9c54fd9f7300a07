using System.Buffers;

namespace Engram.Tables.Training;

// The passes of one update over the rows that are followed, in blocks shared by threads.
public sealed unsafe partial class RowSinkhorn
{
    // Fixed, because the sum of a column over blocks must not depend on the number of threads.
    private const int RowsPerBlock = 256;

    // What float32 cannot divide by.
    private const double SmallestNorm = 1e-30;

    /// <summary>The parallel passes of one update over the rows followed.</summary>
    private readonly struct Pass(RowSinkhorn owner, nint entries, int count, nint gradients, float gradientScale, int threads, bool vectors)
    {
        private RowSinkhorn Owner => owner;

        private bool Vectors => vectors;

        private int Blocks => (count + RowsPerBlock - 1) / RowsPerBlock;

        private delegate void BlockWork(int block, Span<Followed> rows, Span<float> x, Span<float> scratch);

        /// <summary>Updates the momentum of the rows read, and finds all norms.</summary>
        public void TakeGradients(int now)
        {
            var (self, one) = (this, (float)(1 - owner._beta) * gradientScale);
            ForBlocks(
                (_, rows, x, scratch) =>
                {
                    foreach (ref var entry in rows)
                    {
                        if (entry.Gradient < 0)
                        {
                            entry.Norm = self.Owner.NormOf(entry, now);
                            continue;
                        }
                        self.TakeGradient(ref entry, now, one, x, scratch);
                    }
                }
            );
        }

        private void TakeGradient(ref Followed entry, int now, float one, Span<float> x, Span<float> scratch)
        {
            var state = owner.Rows;
            var momentum = state.Widened(Momentum, entry.Row, scratch);
            var gradient = Gradient(entry);
            RowArithmetic.Combine(momentum, (float)owner.Power(now - entry.Last), gradient, one, momentum, vectors);
            state.Store(Momentum, entry.Row, momentum);
            (state.Count(Last, entry.Row), entry.Last) = (now, now);
            momentum = state.Widened(Momentum, entry.Row, scratch);
            entry.MomentumNorm = RowArithmetic.Norm(momentum);
            RowArithmetic.Combine(momentum, (float)owner._beta, gradient, one, x, vectors);
            entry.Norm = RowArithmetic.Norm(x);
        }

        /// <summary>Divides rows and columns by their norms in turn, and moves the table by the result.</summary>
        public void Balance(double mask, double step)
        {
            var self = this;
            var width = owner.Table.Width;
            var (sums, columns) = (new float[(long)Blocks * width], new double[width]);
            var factors = new float[width];
            Array.Fill(columns, 1);
            Array.Fill(factors, 1);
            for (var iteration = 1; iteration <= owner._iterations; iteration += 2)
            {
                var (first, last) = (iteration == 1, iteration == owner._iterations);
                ForBlocks(
                    (block, rows, x, scratch) =>
                    {
                        var blockSums = sums.AsSpan(block * width, width);
                        blockSums.Clear();
                        foreach (ref var entry in rows)
                        {
                            if (first)
                                entry.Scale =
                                    entry.Norm > mask && entry.Norm > SmallestNorm ? entry.Norm / (entry.Norm + self.Owner._epsilon) : 0;
                            if (entry.Scale == 0)
                                continue;
                            self.Direction(entry, x, scratch);
                            RowArithmetic.Multiply(x, factors, self.Vectors);
                            // A row of zeros, what rounding can leave where momentum and gradient cancel, stays one whatever it is divided
                            // by.
                            if (!first && RowArithmetic.SumOfSquares(x, 1, self.Vectors) is > 0 and var squares)
                                entry.Scale /= entry.Scale * Math.Sqrt(squares) + self.Owner._epsilon;
                            if (last)
                                RowArithmetic.Subtract(self.Owner.Table.Row(entry.Row), x, (float)(step * entry.Scale), self.Vectors);
                            else
                                RowArithmetic.AddSquares(blockSums, x, (float)entry.Scale, self.Vectors);
                        }
                    }
                );
                if (last)
                    return;
                for (var column = 0; column < width; column++)
                {
                    var sum = 0.0;
                    for (var block = 0; block < Blocks; block++)
                        sum += sums[(long)block * width + column];
                    // A column of zeros stays one whatever it is divided by.
                    if (sum > 0)
                        columns[column] /= Math.Sqrt(sum) + owner._epsilon;
                    factors[column] = (float)columns[column];
                }
            }
        }

        /// <summary>Ĝ/‖Ĝ‖ of a row.</summary>
        private void Direction(in Followed entry, Span<float> x, Span<float> scratch)
        {
            var momentum = owner.Rows.Widened(Momentum, entry.Row, scratch);
            if (entry.Gradient < 0)
                RowArithmetic.Combine(momentum, (float)(1 / entry.MomentumNorm), [], 0, x, vectors);
            else
                RowArithmetic.Combine(
                    momentum,
                    (float)(owner._beta / entry.Norm),
                    Gradient(entry),
                    (float)((1 - owner._beta) * gradientScale / entry.Norm),
                    x,
                    vectors
                );
        }

        private ReadOnlySpan<float> Gradient(in Followed entry) =>
            new((float*)gradients + RowGradients.Offset(entry.Gradient, owner.Table.Width), owner.Table.Width);

        private void ForBlocks(BlockWork work)
        {
            var (first, total, width) = (entries, count, owner.Table.Width);
            if (threads == 1 || Blocks == 1)
                for (var block = 0; block < Blocks; block++)
                    Run(block);
            else
                Parallel.For(0, Blocks, new ParallelOptions { MaxDegreeOfParallelism = threads }, Run);

            void Run(int block)
            {
                var from = block * RowsPerBlock;
                var rented = ArrayPool<float>.Shared.Rent(2 * width);
                work(
                    block,
                    new Span<Followed>((Followed*)first + from, Math.Min(RowsPerBlock, total - from)),
                    rented.AsSpan(0, width),
                    rented.AsSpan(width, width)
                );
                ArrayPool<float>.Shared.Return(rented);
            }
        }
    }
}

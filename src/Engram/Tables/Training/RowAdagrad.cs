using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables.Training;

/// <summary>
/// Row-wise Adagrad, as DLRM and FBGEMM train their embedding tables ("exact row-wise Adagrad"): one number a row instead of two a value.
/// <para>
/// For a gradient g of a row of width w: h ← h + (1/w)·Σⱼ gⱼ², then wⱼ ← wⱼ − lr · gⱼ / (√h + ε). A first update moves the row by the
/// learning rate (root mean square); since h only grows, later ones move it less and less. Rows that were not read keep value and state to
/// the bit.
/// </para>
/// State: <c>.sum</c> F32, h of a row. Gradients below 1e-19 add nothing to it.
/// </summary>
public sealed unsafe class RowAdagrad : RowOptimizer
{
    private const long ValuesPerThread = 1 << 15;

    // Rows ahead whose state is asked for: their arrays lie far apart, and an update takes less time than one read from memory.
    private const int PrefetchDistance = 16;
    private const int Sum = 0;

    private readonly float _epsilon;

    /// <summary>Prepares the state: a zero per row.</summary>
    /// <param name="table">The table it writes: float32, <see cref="EngramTable.IsWritable"/>.</param>
    /// <param name="epsilon">Added to the root, above 0. Default 1e-20, for gradients of a mean loss.</param>
    /// <param name="stateFile">
    /// A file to keep the state in, made if it is not there, for a table that is mapped; null keeps it in memory.
    /// </param>
    /// <exception cref="ArgumentException">The table cannot be trained, or ε is out of range.</exception>
    /// <exception cref="InvalidDataException">The state file belongs to another table or optimizer.</exception>
    public RowAdagrad(EngramTable table, float epsilon = 1e-20f, string? stateFile = null)
        : base(table, stateFile, new StateArray(".sum", DType.F32))
    {
        Require(epsilon is > 0 and < float.PositiveInfinity, epsilon, nameof(epsilon));
        _epsilon = epsilon;
    }

    private protected override void Update(
        ReadOnlySpan<long> uniqueRows,
        float* gradients,
        double learningRate,
        float gradientScale,
        int threads
    )
    {
        BeforeChange(uniqueRows);
        var parts = (int)Math.Clamp(RowGradients.Offset(uniqueRows.Length, Table.Width) / ValuesPerThread, 1, threads);
        fixed (long* rows = uniqueRows)
        {
            if (parts == 1)
                UpdatePart(rows, 0, uniqueRows.Length, gradients, learningRate, gradientScale, vectors: true);
            else
                UpdateParallel(parts, rows, uniqueRows.Length, gradients, learningRate, gradientScale);
        }
    }

    private protected override void UpdateScalar(ReadOnlySpan<long> uniqueRows, float* gradients, double learningRate, float gradientScale)
    {
        BeforeChange(uniqueRows);
        fixed (long* rows = uniqueRows)
            UpdatePart(rows, 0, uniqueRows.Length, gradients, learningRate, gradientScale, vectors: false);
    }

    private void UpdateParallel(int threads, long* rows, int count, float* gradients, double learningRate, float gradientScale) =>
        Parallel.For(
            0,
            threads,
            part =>
                UpdatePart(
                    rows,
                    (int)((long)count * part / threads),
                    (int)((long)count * (part + 1) / threads),
                    gradients,
                    learningRate,
                    gradientScale,
                    vectors: true
                )
        );

    private void UpdatePart(long* rows, int from, int to, float* gradients, double learningRate, float gradientScale, bool vectors)
    {
        var width = Table.Width;
        for (var i = from; i < to; i++)
        {
            if (i + PrefetchDistance < to && rows[i + PrefetchDistance] is >= 0 and var next)
            {
                StoredRows.Prefetch(Rows.At(Sum, next), sizeof(float));
                StoredRows.Prefetch(Table.Pointer + next * width, (uint)width * sizeof(float));
            }
            if (rows[i] == -1)
                continue;
            var gradient = new ReadOnlySpan<float>(gradients + RowGradients.Offset(i, width), width);
            ref var sum = ref Rows.Floats(Sum, rows[i])[0];
            sum += RowArithmetic.SumOfSquares(gradient, gradientScale, vectors) / width;
            var factor = (float)(learningRate * gradientScale / (Math.Sqrt(sum) + _epsilon));
            RowArithmetic.Subtract(Table.Row(rows[i]), gradient, factor, vectors);
        }
    }

    private protected override bool HasState(long row) => Rows.Floats(Sum, row)[0] > 0;

    private protected override string? Flaw(StateRows rows, long row)
    {
        var sum = rows.Floats(Sum, row)[0];
        return float.IsFinite(sum) && sum > 0 ? null : $"has a sum of squares of {sum}; that of a listed row is finite and above 0";
    }
}

using System.Numerics.Tensors;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables.Training;

/// <summary>
/// Adam on the rows of a table (paper §4.1: the tables alone, five times the base rate, no weight decay), lazy: a row that was not read
/// keeps value and state to the bit, and corrects its bias by its own number of updates, so the first touch of a rare row moves it by a
/// full learning rate.
/// <para>
/// For a gradient g of a row in its update number t: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) +
/// ε). With moments in bfloat16 the row moves by m and v as computed, and what is kept of them is rounded.
/// </para>
/// With <see cref="RowUpdates.Dense"/> or <see cref="RowUpdates.Deferred"/> it is the textbook's Adam of the whole table: t counts the
/// steps of the table, and rows that were not read go on moving by their fading mean. Rows that were never read have no moments and stay as
/// they are in every form.
/// <para>
/// State: <c>.step</c> I32, a row's updates, or the step of the table up to which it is computed; <c>.exp_avg</c> and <c>.exp_avg_sq</c>,
/// F32 or BF16 [w] a row. Not lazy also <c>.steps</c> I64 [1], those of the table.
/// </para>
/// </summary>
public sealed unsafe partial class RowAdam : RowOptimizer
{
    // Fewer values are done before another thread has woken up.
    private const long ValuesPerThread = 1 << 15;

    // Rows ahead whose state is asked for: their arrays lie far apart, and an update takes less time than one read from memory.
    private const int PrefetchDistance = 16;

    // Columns of moments in bfloat16 that are widened at a time; a multiple of every vector.
    private const int Chunk = 128;

    private const int MostCorrections = 1 << 12;

    private const int Updated = 0;
    private const int Means = 1;
    private const int Squares = 2;

    private readonly AdamKernel _kernel;
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly float[] _scratch;

    // Bias corrections by a row's number of updates t: 1 / (1 − β₁ᵗ) and 1 / √(1 − β₂ᵗ), as far as they differ from 1 and the list stays
    // small.
    private readonly (double Mean, float Root)[] _corrections;

    /// <summary>Prepares the state: zeros, as many values as two tables, plus a counter per row.</summary>
    /// <param name="table">The table it writes: float32, <see cref="EngramTable.IsWritable"/>.</param>
    /// <param name="beta1">Decay of the mean, 0 to below 1. Default 0.9.</param>
    /// <param name="beta2">Decay of the mean square, 0 to below 1. Default 0.95. (The paper states neither.)</param>
    /// <param name="epsilon">
    /// Added to the root, above 0. Default 1e-20: the mean loss of a large batch gives a row gradients that 1e-8 would swamp.
    /// </param>
    /// <param name="moments">How mean and mean square are stored.</param>
    /// <param name="stateFile">
    /// A file to keep the state in, made if it is not there, for a table that is mapped; null keeps it in memory.
    /// </param>
    /// <param name="updates">What happens to rows that a step did not read.</param>
    /// <exception cref="ArgumentException">The table cannot be trained, or a number is out of range.</exception>
    /// <exception cref="InvalidDataException">The state file belongs to another table or optimizer.</exception>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public RowAdam(
        EngramTable table,
        double beta1 = 0.9,
        double beta2 = 0.95,
        float epsilon = 1e-20f,
        MomentFormat moments = MomentFormat.Float32,
        string? stateFile = null,
        RowUpdates updates = RowUpdates.Lazy
    )
        : base(
            table,
            stateFile,
            new StateArray(".step", DType.I32),
            StateArray.Moments(".exp_avg", moments, table.Width),
            StateArray.Moments(".exp_avg_sq", moments, table.Width)
        )
    {
        Require(beta1 is >= 0 and < 1, beta1, nameof(beta1));
        Require(beta2 is >= 0 and < 1, beta2, nameof(beta2));
        Require(epsilon is > 0 and < float.PositiveInfinity, epsilon, nameof(epsilon));
        (_beta1, _beta2, _updates) = (beta1, beta2, updates);
        if (updates != RowUpdates.Lazy)
            (_history, _behind, _zeros) = (new StepHistory(), new long[RowsAtOnce], new float[table.Width]);
        _kernel = new AdamKernel
        {
            Beta1 = (float)beta1,
            OneMinusBeta1 = (float)(1 - beta1),
            Beta2 = (float)beta2,
            OneMinusBeta2 = (float)(1 - beta2),
            Epsilon = epsilon,
            GradientScale = 0,
            StepSize = 0,
            RootCorrection = 0,
        };
        _scratch = moments == MomentFormat.Float32 ? [] : new float[table.Width];
        var corrections = new List<(double, float)> { (0, 0) };
        while (corrections.Count < MostCorrections && corrections[^1] != (1, 1))
            corrections.Add(Correction(corrections.Count));
        _corrections = [.. corrections];
    }

    /// <summary>
    /// How often a row has been updated; not lazy: the step of the table up to which it is computed, 0 if it was never read.
    /// </summary>
    /// <param name="row">0 to R − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public int Updates(long row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Table.Rows);
        return Rows.Count(Updated, row);
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
        BeginStep(learningRate);
        var parts = (int)Math.Clamp(RowGradients.Offset(uniqueRows.Length, Table.Width) / ValuesPerThread, 1, threads);
        fixed (long* rows = uniqueRows)
        {
            if (parts == 1)
                UpdatePart(rows, 0, uniqueRows.Length, gradients, learningRate, gradientScale);
            else
                UpdateParallel(parts, rows, uniqueRows.Length, gradients, learningRate, gradientScale);
        }
        if (_updates == RowUpdates.Dense)
            BringUpToDate(threads);
    }

    // Each row belongs to one thread, so the division changes nothing in the result.
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
                    gradientScale
                )
        );

    private protected override void UpdateScalar(ReadOnlySpan<long> rows, float* gradients, double learningRate, float gradientScale)
    {
        BeforeChange(rows);
        BeginStep(learningRate);
        for (var i = 0; i < rows.Length; i++)
            if (rows[i] >= 0)
                UpdateScalar(
                    NextUpdate(rows[i], learningRate, gradientScale, vectors: false),
                    rows[i],
                    new ReadOnlySpan<float>(gradients + RowGradients.Offset(i, Table.Width), Table.Width)
                );
        if (_updates == RowUpdates.Dense)
            CatchUpScalar();
    }

    private void UpdateScalar(AdamKernel kernel, long row, ReadOnlySpan<float> gradient)
    {
        for (var column = 0; column < Table.Width; column++)
        {
            ref var value = ref Table.Row(row)[column];
            if (Rows.IsBFloat16(Means))
            {
                ref var m = ref Rows.Halves(Means, row)[column];
                ref var v = ref Rows.Halves(Squares, row)[column];
                var (mean, square) = (BFloat16.Widen(m), BFloat16.Widen(v));
                kernel.Update(ref value, ref mean, ref square, gradient[column]);
                (m, v) = (BFloat16.Round(mean), BFloat16.Round(square));
            }
            else
                kernel.Update(ref value, ref Rows.Floats(Means, row)[column], ref Rows.Floats(Squares, row)[column], gradient[column]);
        }
    }

    private void UpdatePart(long* rows, int from, int to, float* gradients, double learningRate, float gradientScale)
    {
        var width = Table.Width;
        for (var i = from; i < to; i++)
        {
            if (i + PrefetchDistance < to && rows[i + PrefetchDistance] is >= 0 and var next)
            {
                StoredRows.Prefetch(Rows.At(Updated, next), sizeof(int));
                StoredRows.Prefetch(Table.Pointer + next * width, (uint)width * sizeof(float));
                StoredRows.Prefetch(Rows.At(Means, next), (uint)Rows.Arrays[Means].Bytes);
                StoredRows.Prefetch(Rows.At(Squares, next), (uint)Rows.Arrays[Squares].Bytes);
            }
            var row = rows[i];
            if (row == -1)
                continue;
            UpdateVectors(
                NextUpdate(row, learningRate, gradientScale, vectors: true),
                row,
                new ReadOnlySpan<float>(gradients + RowGradients.Offset(i, width), width)
            );
        }
    }

    private void UpdateVectors(AdamKernel kernel, long row, ReadOnlySpan<float> gradient)
    {
        if (Rows.IsBFloat16(Means))
            UpdateHalves(kernel, row, gradient);
        else
            kernel.Update(Table.Row(row), Rows.Floats(Means, row), Rows.Floats(Squares, row), gradient);
    }

    private void UpdateHalves(AdamKernel kernel, long row, ReadOnlySpan<float> gradient)
    {
        Span<float> meanScratch = stackalloc float[Chunk],
            squareScratch = stackalloc float[Chunk];
        var values = Table.Row(row);
        var means = Rows.Halves(Means, row);
        var squares = Rows.Halves(Squares, row);
        for (var at = 0; at < values.Length; at += Chunk)
        {
            var length = Math.Min(Chunk, values.Length - at);
            var mean = meanScratch[..length];
            var square = squareScratch[..length];
            BFloat16.Widen(means.Slice(at, length), mean);
            BFloat16.Widen(squares.Slice(at, length), square);
            kernel.Update(values.Slice(at, length), mean, square, gradient.Slice(at, length));
            BFloat16.Round(mean, means.Slice(at, length));
            BFloat16.Round(square, squares.Slice(at, length));
        }
    }

    /// <summary>Counts an update of a row, which makes the steps that it has missed, and returns its factors.</summary>
    private AdamKernel NextUpdate(long row, double learningRate, float gradientScale, bool vectors)
    {
        if (_history is not null)
        {
            Replay(row, _history.Now - 1, vectors);
            Rows.Count(Updated, row) = _history.Now;
            return Kernel(_history[_history.Now], gradientScale);
        }
        return Kernel(Factors(++Rows.Count(Updated, row), learningRate), gradientScale);
    }

    private (float StepSize, float Root) Factors(int t, double learningRate)
    {
        var (mean, root) = t < _corrections.Length ? _corrections[t] : Correction(t);
        return ((float)(learningRate * mean), root);
    }

    private AdamKernel Kernel((float StepSize, float Root) factors, float gradientScale) =>
        _kernel with
        {
            GradientScale = gradientScale,
            StepSize = factors.StepSize,
            RootCorrection = factors.Root,
        };

    private (double Mean, float Root) Correction(int t) => (1 / (1 - Math.Pow(_beta1, t)), (float)(1 / Math.Sqrt(1 - Math.Pow(_beta2, t))));

    private protected override bool HasState(long row) => Rows.Count(Updated, row) > 0;

    private protected override string? Flaw(StateRows rows, long row)
    {
        if (rows.Count(Updated, row) < 1)
            return $"has {rows.Count(Updated, row)} updates; a listed row has at least one";
        if (_history is not null && rows.Count(Updated, row) != _stepsInFile)
            return $"is computed up to step {rows.Count(Updated, row)} of the {_stepsInFile} of its table";
        if (
            !TensorPrimitives.IsFiniteAll<float>(rows.Widened(Means, row, _scratch))
            || !TensorPrimitives.IsFiniteAll<float>(rows.Widened(Squares, row, _scratch))
        )
            return "is not finite";
        return TensorPrimitives.Min<float>(rows.Widened(Squares, row, _scratch)) < 0 ? "has a negative mean square" : null;
    }
}

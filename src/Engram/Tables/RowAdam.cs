using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables;

/// <summary>
/// Adam on the rows of a table (paper §4.1: the tables alone, five times the base rate, no weight decay), lazy: a row that was not read keeps value and state to the bit,
/// and corrects its bias by its own number of updates, so the first touch of a rare row moves it by a full learning rate.
/// <para>
/// For a gradient g of a row in its update number t: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
/// </para>
/// Float32; the same input gives the same bits whatever the vector width and number of threads. Not thread-safe. Must be disposed; the table is not disposed with it.
/// </summary>
public sealed unsafe class RowAdam : IDisposable
{
    // Fewer values are done before another thread has woken up.
    private const long ValuesPerThread = 1 << 15;
    private const int PrefetchDistance = 2;

    private const string TableRows = ".table_rows";
    private const string RowNumbers = ".rows";
    private const string UpdateCounts = ".step";
    private const string Means = ".exp_avg";
    private const string Squares = ".exp_avg_sq";

    private readonly EngramTable _table;
    private readonly AdamKernel _kernel;
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly NativeBuffer<float> _means;
    private readonly NativeBuffer<float> _squares;
    private readonly NativeBuffer<int> _updates;

    // Bias corrections by a row's number of updates t: 1 / (1 − β₁ᵗ) and 1 / √(1 − β₂ᵗ). The last holds for all larger t: it is 1, or no row has more updates.
    private readonly List<(double Mean, float Root)> _corrections = [(0, 0)];

    /// <summary>Prepares the state for a table that has not been trained: zeros, as many values as two tables, plus a counter per row.</summary>
    /// <param name="table">The table it writes.</param>
    /// <param name="beta1">Decay of the mean, 0 to below 1. Default 0.9.</param>
    /// <param name="beta2">Decay of the mean square, 0 to below 1. Default 0.95. (The paper states neither.)</param>
    /// <param name="epsilon">Added to the root, above 0. Default 1e-20: the mean loss of a large batch gives a row gradients that 1e-8 would swamp.</param>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public RowAdam(EngramTable table, double beta1 = 0.9, double beta2 = 0.95, float epsilon = 1e-20f)
    {
        ArgumentNullException.ThrowIfNull(table);
        Require(beta1 is >= 0 and < 1, beta1, nameof(beta1));
        Require(beta2 is >= 0 and < 1, beta2, nameof(beta2));
        Require(epsilon is > 0 and < float.PositiveInfinity, epsilon, nameof(epsilon));
        _table = table;
        (_beta1, _beta2) = (beta1, beta2);
        _kernel = new AdamKernel
        {
            Beta1 = (float)beta1, OneMinusBeta1 = (float)(1 - beta1), Beta2 = (float)beta2, OneMinusBeta2 = (float)(1 - beta2), Epsilon = epsilon,
            GradientScale = 0, StepSize = 0, RootCorrection = 0,
        };
        _means = new NativeBuffer<float>(table.Rows * table.Width);
        _squares = new NativeBuffer<float>(table.Rows * table.Width);
        _updates = new NativeBuffer<int>(table.Rows);
    }

    /// <summary>How often a row has been updated.</summary>
    /// <param name="row">0 to R − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public int Updates(long row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, _table.Rows);
        return _updates.Pointer[row];
    }

    /// <summary>Updates the rows of one step.</summary>
    /// <param name="uniqueRows">Rows [u], each at most once (<see cref="UniqueRows.Rows"/>): a repeated row is not noticed and ends with undefined values. −1, the row of dead positions, is passed over.</param>
    /// <param name="gradients">Gradients [u, w], summed over all reads of a row and all micro-batches. A value that is not finite spoils its row for good: check the norm before.</param>
    /// <param name="learningRate">Not negative, finite.</param>
    /// <param name="gradientScale">Factor on every gradient, for clipping and averaging; finite.</param>
    /// <param name="threads">Most threads to use; all processors if null. The result does not depend on it.</param>
    /// <exception cref="ArgumentException">A row does not exist, a length is wrong or a number is out of range; nothing has been changed.</exception>
    public void Step(ReadOnlySpan<long> uniqueRows, ReadOnlySpan<float> gradients, double learningRate, float gradientScale = 1, int? threads = null)
    {
        Prepare(uniqueRows, gradients.Length, learningRate, gradientScale);
        var parts = (int)Math.Clamp((long)gradients.Length / ValuesPerThread, 1, Math.Max(1, threads ?? Environment.ProcessorCount));
        fixed (long* rows = uniqueRows)
        fixed (float* gradient = gradients)
        {
            if (parts == 1)
                StepPart(rows, 0, uniqueRows.Length, gradient, learningRate, gradientScale);
            else
                StepParallel(parts, rows, uniqueRows.Length, gradient, learningRate, gradientScale);
        }
    }

    // Each row belongs to one thread, so the division changes nothing in the result.
    private void StepParallel(int threads, long* rows, int count, float* gradients, double learningRate, float gradientScale) =>
        Parallel.For(0, threads, part =>
            StepPart(rows, (int)((long)count * part / threads), (int)((long)count * (part + 1) / threads), gradients, learningRate, gradientScale));

    /// <summary>The twin of <see cref="Step"/>: one value after the other. Tests compare both bit for bit.</summary>
    internal void StepScalar(ReadOnlySpan<long> uniqueRows, ReadOnlySpan<float> gradients, double learningRate, float gradientScale = 1)
    {
        Prepare(uniqueRows, gradients.Length, learningRate, gradientScale);
        for (var i = 0; i < uniqueRows.Length; i++)
        {
            if (uniqueRows[i] == -1) continue;
            var kernel = NextUpdate(uniqueRows[i], learningRate, gradientScale);
            for (var column = 0; column < _table.Width; column++)
            {
                var at = uniqueRows[i] * _table.Width + column;
                kernel.Update(ref _table.Pointer[at], ref _means.Pointer[at], ref _squares.Pointer[at], gradients[i * _table.Width + column]);
            }
        }
    }

    private void StepPart(long* rows, int from, int to, float* gradients, double learningRate, float gradientScale)
    {
        var width = _table.Width;
        var bytes = (uint)width * sizeof(float);
        for (var i = from; i < to; i++)
        {
            if (i + PrefetchDistance < to && rows[i + PrefetchDistance] is >= 0 and var next)
            {
                StoredRows.Prefetch(_updates.Pointer + next, sizeof(int));
                StoredRows.Prefetch(_table.Pointer + next * width, bytes);
                StoredRows.Prefetch(_means.Pointer + next * width, bytes);
                StoredRows.Prefetch(_squares.Pointer + next * width, bytes);
            }
            var row = rows[i];
            if (row == -1) continue;
            NextUpdate(row, learningRate, gradientScale).Update(
                _table.Row(row), Values(_means, row), Values(_squares, row), new ReadOnlySpan<float>(gradients + (long)i * width, width));
        }
    }

    /// <summary>Counts an update of a row and returns its factors.</summary>
    private AdamKernel NextUpdate(long row, double learningRate, float gradientScale)
    {
        var (mean, root) = _corrections[Math.Min(++_updates.Pointer[row], _corrections.Count - 1)];
        return _kernel with { GradientScale = gradientScale, StepSize = (float)(learningRate * mean), RootCorrection = root };
    }

    private void Prepare(ReadOnlySpan<long> rows, int gradients, double learningRate, float gradientScale)
    {
        if (gradients != (long)rows.Length * _table.Width)
            throw new ArgumentException($"{rows.Length} rows of width {_table.Width} need {(long)rows.Length * _table.Width} gradients; {gradients} are given.", nameof(gradients));
        Require(learningRate is >= 0 and < double.PositiveInfinity, learningRate, nameof(learningRate));
        Require(float.IsFinite(gradientScale), gradientScale, nameof(gradientScale));
        for (var i = 0; i < rows.Length; i++)
            if (rows[i] < -1 || rows[i] >= _table.Rows)
                throw new ArgumentOutOfRangeException(nameof(rows), rows[i], $"Row {rows[i]} at position {i}: the table has the rows 0 to {_table.Rows - 1}; -1 is passed over.");
        ExtendCorrections(_corrections.Count);
    }

    /// <summary>Makes the corrections valid for rows with that many updates.</summary>
    private void ExtendCorrections(int updates)
    {
        for (var t = _corrections.Count; t <= updates && _corrections[^1] != (1, 1); t++)
            _corrections.Add((1 / (1 - Math.Pow(_beta1, t)), (float)(1 / Math.Sqrt(1 - Math.Pow(_beta2, t)))));
    }

    /// <summary>
    /// Writes the state as a safetensors file that lists the rows updated so far, n of them, ascending:
    /// <c>NAME.rows</c> I64 [n], <c>NAME.step</c> I32 [n] (updates of each), <c>NAME.exp_avg</c> and <c>NAME.exp_avg_sq</c> F32 [n, w]; R in the metadata as <c>NAME.table_rows</c>.
    /// </summary>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="name">Name of the table's tensor.</param>
    /// <exception cref="IOException">The file cannot be written; one that was there before is intact.</exception>
    public void Save(string path, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var touched = new List<long>();
        for (var row = 0L; row < _table.Rows; row++)
            if (_updates.Pointer[row] > 0)
                touched.Add(row);
        var writer = new SafetensorsWriter { Metadata = { [name + TableRows] = _table.Rows.ToString() } };
        writer.Add(name + RowNumbers, DType.I64, Each((stream, row) => stream.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in row)))), touched.Count);
        writer.Add(name + UpdateCounts, DType.I32, Each((stream, row) => stream.Write(MemoryMarshal.AsBytes(_updates.Slice(row, 1)))), touched.Count);
        writer.Add(name + Means, DType.F32, Each((stream, row) => stream.Write(MemoryMarshal.AsBytes(Values(_means, row)))), touched.Count, _table.Width);
        writer.Add(name + Squares, DType.F32, Each((stream, row) => stream.Write(MemoryMarshal.AsBytes(Values(_squares, row)))), touched.Count, _table.Width);
        writer.Write(path);

        Action<Stream> Each(Action<Stream, long> write) => stream =>
        {
            foreach (var row in touched)
                write(stream, row);
        };
    }

    /// <summary>Replaces the state by that of a file.</summary>
    /// <param name="path">A file of <see cref="Save"/>, for a table of the same rows and width.</param>
    /// <param name="name">Name of the table's tensor.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or belongs to another table; the state is as it was.</exception>
    public void Load(string path, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        using var file = SafetensorsFile.Open(path);
        var count = file.Require(name + RowNumbers, DType.I64, -1).Shape[0];
        file.Require(name + UpdateCounts, DType.I32, count);
        file.Require(name + Means, DType.F32, count, _table.Width);
        file.Require(name + Squares, DType.F32, count, _table.Width);
        if (!file.Metadata.TryGetValue(name + TableRows, out var tableRows) || tableRows != _table.Rows.ToString())
            throw new InvalidDataException($"{path}: the state of '{name}' is for a table of {tableRows ?? "unknown"} rows; this one has {_table.Rows}.");

        var rows = (long*)file.Pointer(name + RowNumbers);
        var updates = (int*)file.Pointer(name + UpdateCounts);
        var means = (float*)file.Pointer(name + Means);
        var squares = (float*)file.Pointer(name + Squares);
        for (var i = 0L; i < count; i++)
        {
            if (rows[i] >= _table.Rows || rows[i] <= (i == 0 ? -1 : rows[i - 1]))
                throw new InvalidDataException($"{path}: row {rows[i]} at position {i} of '{name + RowNumbers}'; rows ascend from 0 to {_table.Rows - 1}.");
            if (updates[i] < 1)
                throw new InvalidDataException($"{path}: row {rows[i]} of '{name}' has {updates[i]} updates; a listed row has at least one.");
            if (!TensorPrimitives.IsFiniteAll(FileRow(means, i)) || !TensorPrimitives.IsFiniteAll(FileRow(squares, i)) || TensorPrimitives.Min(FileRow(squares, i)) < 0)
                throw new InvalidDataException($"{path}: the state of row {rows[i]} of '{name}' is not finite, or has a negative mean square.");
        }

        _means.Clear();
        _squares.Clear();
        _updates.Clear();
        for (var i = 0L; i < count; i++)
        {
            FileRow(means, i).CopyTo(Values(_means, rows[i]));
            FileRow(squares, i).CopyTo(Values(_squares, rows[i]));
            _updates.Pointer[rows[i]] = updates[i];
            ExtendCorrections(updates[i]);
        }

        ReadOnlySpan<float> FileRow(float* values, long i) => new(values + i * _table.Width, _table.Width);
    }

    /// <summary>Frees the state.</summary>
    public void Dispose()
    {
        _means.Dispose();
        _squares.Dispose();
        _updates.Dispose();
    }

    private Span<float> Values(NativeBuffer<float> buffer, long row) => buffer.Slice(row * _table.Width, _table.Width);

    private static void Require<T>(bool condition, T value, string name)
    {
        if (!condition)
            throw new ArgumentOutOfRangeException(name, value, $"{name} {value} is out of range.");
    }
}

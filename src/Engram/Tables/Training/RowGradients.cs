using System.Numerics.Tensors;

namespace Engram.Tables.Training;

/// <summary>
/// Gradients of the distinct rows of an update, summed over all reads of a row: float32 [u, w] in native memory, because a large update has
/// more values than a span can count. Reuse one instance: it allocates only while it grows. Not thread-safe. Must be disposed.
/// </summary>
/// <param name="width">Values of a row, w.</param>
internal sealed unsafe class RowGradients(int width) : IDisposable
{
    // Values whose squares one thread sums; fixed, so that the sum does not depend on the number of threads.
    private const int BlockValues = 1 << 18;

    private NativeBuffer<float>? _values;
    private double[] _blockSums = [];

    // Rows that have a sum. Distinct rows are numbered by first appearance, so the first gradient of a row is always that of row number
    // _begun: it is stored instead of added, and nothing is ever cleared.
    private int _begun;

    /// <summary>Distinct rows of this update, u.</summary>
    public int Count { get; private set; }

    /// <summary>The sums [u, w]. Valid until the next <see cref="Begin"/>.</summary>
    /// <exception cref="InvalidOperationException">A row has received no gradient yet.</exception>
    public float* Values =>
        _begun == Count
            ? Start
            : throw new InvalidOperationException($"{_begun} of {Count} rows have a gradient: some micro-batches are missing.");

    private float* Start => _values is null ? null : _values.Pointer;

    /// <summary>Where a row begins among values in rows of one width.</summary>
    public static long Offset(int row, int width) => (long)row * width;

    /// <summary>Starts an update that reads so many distinct rows.</summary>
    public void Begin(int count)
    {
        (Count, _begun) = (count, 0);
        if (Offset(count, width) is var needed && needed <= (_values?.Length ?? 0))
            return;
        _values?.Dispose();
        _values = null;
        _values = new NativeBuffer<float>(needed + needed / 4);
    }

    /// <summary>Adds the gradients of the next reads.</summary>
    /// <param name="inverse">Number of the distinct row of every read [n]: the next part of <see cref="UniqueRows.Inverse"/>.</param>
    /// <param name="gradients">Gradients of the reads [n, w].</param>
    /// <exception cref="InvalidOperationException">The parts do not come in order.</exception>
    public void Add(ReadOnlySpan<int> inverse, float* gradients)
    {
        var start = Start;
        for (var i = 0; i < inverse.Length; i++)
        {
            var gradient = new ReadOnlySpan<float>(gradients + Offset(i, width), width);
            var sum = new Span<float>(start + Offset(inverse[i], width), width);
            if (inverse[i] < _begun)
                TensorPrimitives.Add(sum, gradient, sum);
            else if (inverse[i] == _begun)
            {
                gradient.CopyTo(sum);
                _begun++;
            }
            else
                throw new InvalidOperationException(
                    $"Row {inverse[i]} comes before row {_begun}: micro-batches are added in the order in which their rows were numbered."
                );
        }
    }

    /// <summary>Forgets what a row has received.</summary>
    public void Clear(int row)
    {
        if (row < _begun)
            new Span<float>(Start + Offset(row, width), width).Clear();
    }

    /// <summary>
    /// Sum of squares of all values, in float64 and in one order whatever the number of threads and the width of vectors.
    /// </summary>
    /// <param name="threads">Most threads to use.</param>
    public double SumOfSquares(int threads)
    {
        var (values, length) = ((nint)Values, Offset(Count, width));
        var blocks = (int)((length + BlockValues - 1) / BlockValues);
        if (_blockSums.Length < blocks)
            _blockSums = new double[blocks];
        if (threads == 1 || blocks <= 1)
            for (var block = 0; block < blocks; block++)
                Sum(block);
        else
            Parallel.For(0, blocks, new ParallelOptions { MaxDegreeOfParallelism = threads }, Sum);
        var sum = 0.0;
        for (var block = 0; block < blocks; block++)
            sum += _blockSums[block];
        return sum;

        void Sum(int block)
        {
            var first = (long)block * BlockValues;
            _blockSums[block] = RowArithmetic.SumOfSquaresInDouble(
                new ReadOnlySpan<float>((float*)values + first, (int)Math.Min(BlockValues, length - first))
            );
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _values?.Dispose();
}

using System.Runtime.InteropServices;
using Engram.Storage;

namespace Engram.Tables.Training;

// Dense and deferred updates: steps of the whole table, which a row that was not read makes with the gradient zero, at once or when it is
// read again.
public sealed unsafe partial class RowAdam
{
    private const int RowsAtOnce = 1 << 12;
    private const string TableSteps = ".steps";

    private readonly RowUpdates _updates;

    // Null when lazy: the steps that rows have yet to make. Then the rows that are about to make them, and the gradient of a row that was
    // not read.
    private readonly StepHistory? _history;
    private readonly long[] _behind = [];
    private readonly float[] _zeros = [];
    private long _stepsInFile;

    private protected override bool IsBehind => _history is { IsOpen: true };

    /// <summary>Counts a step of the whole table, unless rows count their own.</summary>
    private void BeginStep(double learningRate)
    {
        if (_history is null)
            return;
        var (stepSize, root) = Factors(checked(_history.Now + 1), learningRate);
        _history.Add(stepSize, root);
    }

    private protected override void BringUpToDate(ReadOnlySpan<long> rows, int threads)
    {
        // All rows at once, those that are not behind too: the step that follows changes them all, so it waits for the device no second
        // time.
        BeforeChange(rows);
        var found = 0;
        foreach (var row in rows)
        {
            if (row < 0 || !LiesBehind(row))
                continue;
            _behind[found++] = row;
            if (found < _behind.Length)
                continue;
            ReplayFound(found, threads);
            found = 0;
        }
        ReplayFound(found, threads);
    }

    private protected override void BringUpToDate(int threads)
    {
        var found = 0;
        for (var row = 0L; row < Table.Rows; row++)
        {
            if (!LiesBehind(row))
                continue;
            _behind[found++] = row;
            if (found < _behind.Length)
                continue;
            BeforeChange(_behind);
            ReplayFound(found, threads);
            found = 0;
        }
        BeforeChange(_behind.AsSpan(0, found));
        ReplayFound(found, threads);
        _history!.Close(_history.Now);
    }

    /// <summary>The twin of <see cref="RowOptimizer.CatchUp(int?)"/>: one value after the other.</summary>
    internal void CatchUpScalar()
    {
        if (_history is null)
            return;
        var behind = new List<long>();
        for (var row = 0L; row < Table.Rows; row++)
            if (LiesBehind(row))
                behind.Add(row);
        BeforeChange(CollectionsMarshal.AsSpan(behind));
        foreach (var row in behind)
            Replay(row, _history.Now, vectors: false);
        _history.Close(_history.Now);
    }

    private bool LiesBehind(long row) => Rows.Count(Updated, row) is > 0 and var made && made < _history!.Now;

    private void ReplayFound(int count, int threads)
    {
        var parts = (int)Math.Clamp((long)count * Table.Width / ValuesPerThread, 1, threads);
        if (parts == 1)
            ReplayPart(0, count);
        else
            ReplayParallel(parts, count);
    }

    // Each row belongs to one thread, so the division changes nothing in the result.
    private void ReplayParallel(int parts, int count) =>
        Parallel.For(0, parts, part => ReplayPart((int)((long)count * part / parts), (int)((long)count * (part + 1) / parts)));

    private void ReplayPart(int from, int to)
    {
        for (var i = from; i < to; i++)
            Replay(_behind[i], _history!.Now, vectors: true);
    }

    /// <summary>The steps of a row with moments up to a step of the table, with the gradient zero.</summary>
    private void Replay(long row, int last, bool vectors)
    {
        ref var made = ref Rows.Count(Updated, row);
        if (made == 0)
            return;
        while (made < last)
        {
            var kernel = Kernel(_history![++made], gradientScale: 0);
            if (vectors)
                UpdateVectors(kernel, row, _zeros);
            else
                UpdateScalar(kernel, row, _zeros);
        }
    }

    private protected override void SaveMore(SafetensorsWriter writer, string name)
    {
        if (_history is not null)
            writer.Add<long>(name + TableSteps, DType.I64, [_history.Now], 1);
    }

    private protected override Action LoadMore(SafetensorsFile file, string name)
    {
        if (_history is null)
            return file.Tensors.ContainsKey(name + TableSteps)
                ? throw new InvalidDataException(
                    $"{file.Path}: the state of '{name}' counts the steps of its table; it belongs to dense or deferred updates, not to "
                        + "lazy ones."
                )
                : () => { };
        Span<long> steps = stackalloc long[1];
        file.CopyTo(name + TableSteps, steps, 1);
        if (steps[0] is < 0 or > int.MaxValue)
            throw new InvalidDataException($"{file.Path}: {steps[0]} steps of '{name}'.");
        var now = (int)(_stepsInFile = steps[0]);
        return () => _history.Close(now);
    }
}

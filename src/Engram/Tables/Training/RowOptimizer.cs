using Engram.Storage;
using Engram.Tables.Formats;

namespace Engram.Tables.Training;

/// <summary>
/// Updates the rows of a float32 table from the summed gradients of the rows that were read. State and table lie in memory, or both in
/// mapped files; the arithmetic is the same to the bit, whatever the vector width and number of threads. Not thread-safe. Must be disposed;
/// the table is not disposed with it.
/// </summary>
public abstract unsafe class RowOptimizer : IDisposable
{
    private protected RowOptimizer(EngramTable table, string? stateFile, params StateArray[] arrays)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (table.Format.Encoding != RowEncoding.Float32 || !table.IsWritable)
            throw new ArgumentException(
                "A table is trained with rows of float32 that can be written; this one has rows of "
                    + $"{table.Format}{(table.IsWritable ? "" : " and is open for reading")}.",
                nameof(table)
            );
        if (stateFile is not null && !table.IsMapped)
            throw new ArgumentException(
                "A state file belongs to a table that is mapped for writing; this one is in memory.",
                nameof(stateFile)
            );
        Table = table;
        State = new RowState(table.Rows, stateFile, arrays);
        if (stateFile is not null)
            Journal = new UndoJournal(table, State);
    }

    /// <summary>Makes an optimizer with its published settings.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="table">Float32 and writable; stays the caller's.</param>
    /// <param name="moments">How moments are kept; float32 for <see cref="TableOptimizer.Adagrad"/>, which has none.</param>
    /// <param name="stateFile">
    /// File of the state of a table that is mapped for writing, made if it is not there; null for state in memory.
    /// </param>
    /// <exception cref="ArgumentException">The table cannot be trained.</exception>
    public static RowOptimizer Create(
        TableOptimizer kind,
        EngramTable table,
        MomentFormat moments = MomentFormat.Float32,
        string? stateFile = null
    ) =>
        kind switch
        {
            TableOptimizer.Adam => new RowAdam(table, moments: moments, stateFile: stateFile),
            TableOptimizer.DenseAdam => new RowAdam(table, moments: moments, stateFile: stateFile, updates: RowUpdates.Dense),
            TableOptimizer.DeferredAdam => new RowAdam(table, moments: moments, stateFile: stateFile, updates: RowUpdates.Deferred),
            TableOptimizer.Adagrad => new RowAdagrad(table, stateFile: stateFile),
            TableOptimizer.Sinkhorn => new RowSinkhorn(table, moments: moments, stateFile: stateFile),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such optimizer."),
        };

    /// <summary>The table that is trained.</summary>
    public EngramTable Table { get; }

    /// <summary>Remembers what rows were at the last checkpoint; for a state in a mapped file, else null.</summary>
    public UndoJournal? Journal { get; }

    internal RowState State { get; }

    private protected StateRows Rows => State.Rows;

    /// <summary>Updates the rows of one step.</summary>
    /// <param name="uniqueRows">
    /// Rows [u], each at most once (<see cref="UniqueRows.Rows"/>): a repeated row is not noticed and ends with undefined values. −1, the
    /// row of dead positions, is passed over.
    /// </param>
    /// <param name="gradients">
    /// Gradients [u, w], summed over all reads of a row and all micro-batches. A value that is not finite spoils its row for good: check
    /// the norm before.
    /// </param>
    /// <param name="learningRate">Not negative, finite.</param>
    /// <param name="gradientScale">Factor on every gradient, for clipping and averaging; finite.</param>
    /// <param name="threads">Most threads to use; all processors if null. The result does not depend on it.</param>
    /// <exception cref="ArgumentException">
    /// A row does not exist, a length is wrong or a number is out of range; nothing has been changed.
    /// </exception>
    /// <exception cref="IOException">The device of a mapped table is full; no row has been changed.</exception>
    public void Step(
        ReadOnlySpan<long> uniqueRows,
        ReadOnlySpan<float> gradients,
        double learningRate,
        float gradientScale = 1,
        int? threads = null
    )
    {
        CheckLength(uniqueRows.Length, gradients.Length);
        fixed (float* pointer = gradients)
            Step(uniqueRows, pointer, learningRate, gradientScale, threads);
    }

    /// <summary>
    /// <see cref="Step(ReadOnlySpan{long}, ReadOnlySpan{float}, double, float, int?)"/> with gradients [u, w] that a span may be too short
    /// for.
    /// </summary>
    internal void Step(ReadOnlySpan<long> uniqueRows, float* gradients, double learningRate, float gradientScale, int? threads)
    {
        Check(uniqueRows, learningRate, gradientScale);
        Update(uniqueRows, gradients, learningRate, gradientScale, Math.Max(1, threads ?? Environment.ProcessorCount));
    }

    /// <summary>
    /// The twin of <see cref="Step(ReadOnlySpan{long}, ReadOnlySpan{float}, double, float, int?)"/>: one value after the other. Tests
    /// compare both bit for bit.
    /// </summary>
    internal void StepScalar(ReadOnlySpan<long> uniqueRows, ReadOnlySpan<float> gradients, double learningRate, float gradientScale = 1)
    {
        CheckLength(uniqueRows.Length, gradients.Length);
        Check(uniqueRows, learningRate, gradientScale);
        fixed (float* pointer = gradients)
            UpdateScalar(uniqueRows, pointer, learningRate, gradientScale);
    }

    private protected abstract void Update(
        ReadOnlySpan<long> rows,
        float* gradients,
        double learningRate,
        float gradientScale,
        int threads
    );

    private protected abstract void UpdateScalar(ReadOnlySpan<long> rows, float* gradients, double learningRate, float gradientScale);

    /// <summary>
    /// Brings rows up to date before they are read. Only <see cref="RowUpdates.Deferred"/> leaves any behind; otherwise nothing happens.
    /// </summary>
    /// <param name="rows">Rows [u], each at most once; −1 is passed over.</param>
    /// <param name="threads">Most threads to use; all processors if null. The result does not depend on it.</param>
    /// <exception cref="ArgumentException">A row does not exist; nothing has been changed.</exception>
    /// <exception cref="IOException">The device of a mapped table is full.</exception>
    public void CatchUp(ReadOnlySpan<long> rows, int? threads = null)
    {
        CheckRows(rows);
        if (IsBehind)
            BringUpToDate(rows, Math.Max(1, threads ?? Environment.ProcessorCount));
    }

    /// <summary>Brings every row up to date: before the table is saved, measured or given away.</summary>
    /// <param name="threads">Most threads to use; all processors if null. The result does not depend on it.</param>
    /// <exception cref="IOException">The device of a mapped table is full; it can be called again.</exception>
    public void CatchUp(int? threads = null)
    {
        if (IsBehind)
            BringUpToDate(Math.Max(1, threads ?? Environment.ProcessorCount));
    }

    /// <summary>Whether rows lie behind the last step.</summary>
    private protected virtual bool IsBehind => false;

    private protected virtual void BringUpToDate(ReadOnlySpan<long> rows, int threads) { }

    private protected virtual void BringUpToDate(int threads) { }

    /// <summary>Called with the rows that are about to be changed, before any is.</summary>
    private protected void BeforeChange(ReadOnlySpan<long> rows)
    {
        if (Journal is not null)
            Journal.Record(rows);
        else if (Table.IsMapped)
            foreach (var row in rows)
                if (row >= 0)
                    Table.Reserve(row);
    }

    /// <summary>
    /// Writes the state as a safetensors file that lists the rows with state, n of them, ascending: <c>NAME.rows</c> I64 [n], then the
    /// arrays of the optimizer; R in the metadata as <c>NAME.table_rows</c>. For a mapped state, which stays where it is, only what is not
    /// kept per row.
    /// </summary>
    /// <param name="path">The file; its folder exists.</param>
    /// <param name="name">Name of the table's tensor.</param>
    /// <exception cref="IOException">The file cannot be written; one that was there before is intact.</exception>
    /// <exception cref="InvalidOperationException">
    /// Rows lie behind the last step, so that a table saved beside it would be another one's: see <see cref="CatchUp(int?)"/>.
    /// </exception>
    public void Save(string path, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (IsBehind)
            throw new InvalidOperationException(
                "Rows lie behind the last step: bring them up to date with CatchUp, then save table and state."
            );
        if (State.IsMapped)
        {
            var writer = State.NewWriter(name);
            SaveMore(writer, name);
            writer.Write(path);
            return;
        }
        var touched = new List<long>();
        for (var row = 0L; row < Table.Rows; row++)
            if (HasState(row))
                touched.Add(row);
        State.Save(path, name, touched, writer => SaveMore(writer, name));
    }

    /// <summary>
    /// Replaces the state by that of a file. For a mapped state the rows must be those of the file's moment: see <see cref="UndoJournal"/>.
    /// </summary>
    /// <param name="path">A file of <see cref="Save"/>, for a table of the same rows and width.</param>
    /// <param name="name">Name of the table's tensor.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is damaged or belongs to another table or optimizer; the state is as it was.
    /// </exception>
    public void Load(string path, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        using var file = SafetensorsFile.Open(path);
        if (State.IsMapped)
            State.RequireTable(file, name);
        var apply = LoadMore(file, name);
        if (!State.IsMapped)
            State.Load(file, name, Flaw);
        apply();
    }

    /// <summary>Writes a mapped table and its state to the device and waits for it; nothing for others.</summary>
    /// <exception cref="IOException">The device cannot take them.</exception>
    public void Flush()
    {
        Table.Flush();
        State.Flush();
    }

    /// <summary>Whether a row's state differs from that of a row that was never updated.</summary>
    private protected abstract bool HasState(long row);

    /// <summary>Why state cannot be right, or null.</summary>
    private protected abstract string? Flaw(StateRows rows, long row);

    /// <summary>Adds what is not kept per row.</summary>
    private protected virtual void SaveMore(SafetensorsWriter writer, string name) { }

    /// <summary>Reads and checks what <see cref="SaveMore"/> wrote; what it returns takes effect once the rows have been read.</summary>
    private protected virtual Action LoadMore(SafetensorsFile file, string name) => () => { };

    private void CheckLength(int rows, int gradients)
    {
        if (gradients != (long)rows * Table.Width)
            throw new ArgumentException(
                $"{rows} rows of width {Table.Width} need {(long)rows * Table.Width} gradients; {gradients} are given.",
                nameof(gradients)
            );
    }

    private void Check(ReadOnlySpan<long> rows, double learningRate, float gradientScale)
    {
        Require(learningRate is >= 0 and < double.PositiveInfinity, learningRate, nameof(learningRate));
        Require(float.IsFinite(gradientScale), gradientScale, nameof(gradientScale));
        CheckRows(rows);
    }

    private void CheckRows(ReadOnlySpan<long> rows)
    {
        if (rows.IndexOfAnyExceptInRange(-1, Table.Rows - 1) is var wrong and >= 0)
            throw new ArgumentOutOfRangeException(
                nameof(rows),
                rows[wrong],
                $"Row {rows[wrong]} at position {wrong}: the table has the rows 0 to {Table.Rows - 1}; -1 is passed over."
            );
    }

    private protected static void Require<T>(bool condition, T value, string name)
    {
        if (!condition)
            throw new ArgumentOutOfRangeException(name, value, $"{name} {value} is out of range.");
    }

    /// <summary>Frees the state.</summary>
    public void Dispose()
    {
        Journal?.Dispose();
        State.Dispose();
        GC.SuppressFinalize(this);
    }
}

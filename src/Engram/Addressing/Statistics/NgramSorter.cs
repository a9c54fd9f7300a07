namespace Engram.Addressing.Statistics;

/// <summary>
/// Counts the distinct n-grams of one order exactly, however many there are: a table in memory that is written to disk as a sorted run
/// whenever it is full, and a merge of the runs.
/// </summary>
/// <param name="maxSlots">Slots of the table.</param>
/// <param name="folder">Where temporary files go.</param>
internal sealed class NgramSorter(int maxSlots, string folder) : IDisposable
{
    // Runs merged at a time; their blocks take 400 KiB.
    private const int FanIn = 16;

    private readonly NgramTable _table = new(maxSlots);
    private readonly Queue<NgramRun> _runs = new();

    /// <summary>Counts one n-gram.</summary>
    public void Add(UInt128 key)
    {
        if (_table.IsFull)
            Spill();
        _table.Add(key);
    }

    /// <summary>All n-grams, sorted. Nothing may be added after it.</summary>
    /// <returns>Owned by this object.</returns>
    public NgramRun Complete(CancellationToken cancellation)
    {
        if (_runs.Count == 0)
        {
            _runs.Enqueue(new NgramRun(_table.Sort()));
            return _runs.Peek();
        }
        Spill();
        while (_runs.Count > 1)
        {
            var inputs = new List<NgramRun>();
            while (inputs.Count < FanIn && _runs.TryDequeue(out var run))
                inputs.Add(run);
            var merged = new NgramRun(folder);
            _runs.Enqueue(merged);
            Merge(inputs, merged, cancellation);
        }
        return _runs.Peek();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_runs.TryDequeue(out var run))
            run.Dispose();
    }

    private void Spill()
    {
        var run = new NgramRun(folder);
        _runs.Enqueue(run);
        run.Append(_table.Sort().Span);
        _table.Clear();
    }

    private static void Merge(List<NgramRun> inputs, NgramRun merged, CancellationToken cancellation)
    {
        try
        {
            var heap = new PriorityQueue<NgramRunReader, UInt128>();
            foreach (var reader in inputs.Select(run => new NgramRunReader(run)))
                if (reader.MoveNext())
                    heap.Enqueue(reader, reader.Current.Key);
            var block = new NgramCount[NgramRunReader.BlockLength];
            var length = 0;
            while (heap.TryDequeue(out var reader, out var key))
            {
                if (length > 0 && block[length - 1].Key == key)
                {
                    block[length - 1].Count += reader.Current.Count;
                }
                else
                {
                    if (length == block.Length)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        merged.Append(block);
                        length = 0;
                    }
                    block[length++] = reader.Current;
                }
                if (reader.MoveNext())
                    heap.Enqueue(reader, reader.Current.Key);
            }
            merged.Append(block.AsSpan(0, length));
        }
        finally
        {
            inputs.ForEach(run => run.Dispose());
        }
    }
}

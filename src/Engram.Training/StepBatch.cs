using Engram.Corpora;
using Engram.Models.Memory;

namespace Engram.Training;

/// <summary>The data of one optimizer update: all its micro-batches, and the table rows that they read.</summary>
internal sealed class StepBatch(int sequences, int length)
{
    /// <summary>Token ids, targets and document starts of all micro-batches, one after the other.</summary>
    public TokenBatch Tokens { get; } = new(sequences, length);

    /// <summary>Table rows of all positions.</summary>
    public MemoryRows Rows { get; } = new();
}

/// <summary>
/// Reads and addresses the next update's data on another thread while the current update computes, and starts reading its rows of mapped
/// tables: addresses depend on token ids alone.
/// </summary>
internal sealed class StepBatches : IDisposable
{
    private readonly BatchSampler _sampler;
    private readonly MemoryBank? _memory;
    private readonly StepBatch[] _buffers;
    private Task<StepBatch> _next;
    private int _turn;

    public StepBatches(PreparedCorpus corpus, TrainingOptions options, MemoryBank? memory, long firstStep)
    {
        var sequences = options.Sequences * options.AccumulationSteps;
        _sampler = new BatchSampler(corpus, options.Length, (ulong)options.Seed) { Position = firstStep * sequences };
        _memory = memory;
        _buffers = [new StepBatch(sequences, options.Length), new StepBatch(sequences, options.Length)];
        _next = Task.Run(Fill);
    }

    /// <summary>The next update's data, valid until the next call.</summary>
    public StepBatch Take()
    {
        var batch = _next.GetAwaiter().GetResult();
        _next = Task.Run(Fill);
        return batch;
    }

    /// <summary>Waits for the reader, so that the corpus may be closed.</summary>
    public void Dispose() => ((IAsyncResult)_next).AsyncWaitHandle.WaitOne();

    private StepBatch Fill()
    {
        var batch = _buffers[_turn];
        _turn = 1 - _turn;
        _sampler.Next(batch.Tokens);
        if (_memory is not null)
        {
            _memory.Address(batch.Tokens.Inputs, batch.Tokens.DocumentStarts, batch.Tokens.Sequences, batch.Rows);
            _memory.Prefetch(batch.Rows);
        }
        return batch;
    }
}

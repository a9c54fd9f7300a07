using Engram.Addressing;
using Engram.Models.Memory;
using Engram.Tables;
using Engram.Tables.Training;
using Engram.Torch.Kernels;
using Engram.Torch.Memory;
using static TorchSharp.torch;

namespace Engram.Training;

/// <summary>
/// Trains the tables of a model: gradients of gathered rows are summed per distinct row over all micro-batches of an update, then each
/// table's row optimizer touches those rows and no others.
/// </summary>
internal sealed class TableTrainer : IDisposable
{
    private readonly MemoryBank _memory;
    private readonly Layer[] _layers;

    private sealed class Layer(int position, RowOptimizer optimizer) : IDisposable
    {
        /// <summary>Among the memory layers.</summary>
        public int Position => position;

        public RowOptimizer Optimizer { get; } = optimizer;

        public UniqueRows Unique { get; } = new();

        /// <summary>Summed gradients of the distinct rows, [u, w].</summary>
        public RowGradients Gradients { get; } = new(optimizer.Table.Width);

        public void Dispose() => Gradients.Dispose();
    }

    /// <param name="memory">Its tables must be float32 and writable.</param>
    /// <param name="options">Optimizer and its moments.</param>
    /// <param name="frozen">Says of a memory layer, by its block index, whether its table stays as it is; none does by default.</param>
    public TableTrainer(MemoryBank memory, TrainingOptions options, Func<int, bool>? frozen = null)
    {
        _memory = memory;
        _layers =
        [
            .. memory
                .Tables.Train(options.TableOptimizer, options.TableMoments)
                .Select((optimizer, position) => new Layer(position, optimizer))
                .Where(layer => frozen?.Invoke(memory.LayerIds[layer.Position]) != true),
        ];
    }

    /// <summary>Brings every row up to date: before the tables are saved or read by anything but <see cref="Begin"/>.</summary>
    public void CatchUp()
    {
        foreach (var layer in _layers)
            layer.Optimizer.CatchUp(get_num_threads());
    }

    /// <summary>Starts an update that reads these rows.</summary>
    public void Begin(MemoryRows rows)
    {
        foreach (var layer in _layers)
        {
            layer.Unique.Build(rows.Layer(layer.Position));
            layer.Optimizer.CatchUp(layer.Unique.Rows, get_num_threads());
            layer.Gradients.Begin(layer.Unique.Count);
        }
    }

    /// <summary>Adds the gradients of one micro-batch after its backward pass. Micro-batches come in order.</summary>
    /// <param name="memory">The gathered leaves.</param>
    /// <param name="firstToken">First position of the micro-batch within the update.</param>
    /// <param name="tokens">Its positions.</param>
    public unsafe void Accumulate(GatheredMemory memory, int firstToken, int tokens)
    {
        foreach (var layer in _layers)
        {
            var columns = _memory.Columns;
            using var gradient = memory.Layer(_memory.LayerIds[layer.Position])!.grad!;
            using var onHost = gradient.cpu();
            using var values = onHost.contiguous();
            layer.Gradients.Add(layer.Unique.Inverse.Slice(firstToken * columns, tokens * columns), HostTensor.Pointer(values));

            // Dead positions read no row: what reaches their zeros is nobody's gradient and must not count in the norm.
            if (layer.Unique.Rows.IndexOf(NgramAddresser.NoRow) is var dead and >= 0)
                layer.Gradients.Clear(dead);
        }
    }

    /// <summary>Sum of squares of all row gradients, for the global norm; the same bits on any number of threads.</summary>
    public double SumOfSquares()
    {
        var sum = 0.0;
        foreach (var layer in _layers)
            sum += layer.Gradients.SumOfSquares(get_num_threads());
        return sum;
    }

    /// <summary>Updates the rows read.</summary>
    /// <param name="learningRate">Of the tables.</param>
    /// <param name="scale">Factor of the gradients, from clipping.</param>
    public unsafe void Step(double learningRate, double scale)
    {
        foreach (var layer in _layers)
            layer.Optimizer.Step(layer.Unique.Rows, layer.Gradients.Values, learningRate, (float)scale, get_num_threads());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
    }
}

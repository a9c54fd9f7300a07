using Engram.Torch.Kernels;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Training.Optimizers;

/// <summary>
/// One Muon update of many small matrices of one shape in host memory: momentum, orthogonalisation and step of a batch of them while it is
/// in the cache. Reference: <see cref="TorchScript.Muon"/>. A matrix ends in the same bits whatever its neighbours and the number of
/// threads.
/// </summary>
internal sealed unsafe class MuonKernel : IDisposable
{
    private readonly int _rows;
    private readonly int _columns;
    private readonly int _lanes;
    private LaneMatrices[] _rooms = [];

    /// <summary>For matrices of a shape.</summary>
    /// <param name="rows">Rows of each.</param>
    /// <param name="columns">Columns of each.</param>
    /// <param name="lanes">How many go side by side: what <see cref="NewtonSchulzKernel.LanesFor"/> says.</param>
    public MuonKernel(int rows, int columns, int lanes) => (_rows, _columns, _lanes) = (rows, columns, lanes);

    /// <summary>Updates every matrix in place.</summary>
    /// <param name="values">Address of each matrix, its numbers in row order.</param>
    /// <param name="gradients">Address of the gradient of each.</param>
    /// <param name="momentum">Momentum of all, one after the other.</param>
    /// <param name="options">Decay of the momentum and the iteration.</param>
    /// <param name="shrink">Factor of the old value.</param>
    /// <param name="rate">Factor of the orthogonalised matrix, which is subtracted.</param>
    /// <param name="floor">A matrix whose direction has no entry above this is left out.</param>
    public void Update(nint[] values, nint[] gradients, nint momentum, MuonOptions options, double shrink, double rate, double floor)
    {
        var batches = (values.Length + _lanes - 1) / _lanes;
        var parts = HostTensor.Parts(batches, least: 2);
        if (_rooms.Length < parts)
            _rooms = [.. _rooms, .. Enumerable.Range(0, parts - _rooms.Length).Select(_ => new LaneMatrices(_rows, _columns, _lanes))];
        HostTensor.InParts(
            batches,
            (part, from, to) =>
            {
                for (var batch = from; batch < to; batch++)
                    Update(_rooms[part], values, gradients, (float*)momentum, batch * _lanes, options, (float)shrink, (float)rate, floor);
            },
            least: 2
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var room in _rooms)
            room.Dispose();
    }

    private void Update(
        LaneMatrices room,
        nint[] values,
        nint[] gradients,
        float* momentum,
        int first,
        MuonOptions options,
        float shrink,
        float rate,
        double floor
    )
    {
        var size = _rows * _columns;
        var count = Math.Min(_lanes, values.Length - first);
        var beta = (float)options.Momentum;
        for (var lane = 0; lane < _lanes; lane++)
        {
            var u = room.Staged(lane);
            if (lane >= count)
            {
                u.Clear();
                continue;
            }

            var g = new ReadOnlySpan<float>((float*)gradients[first + lane], size);
            var m = new Span<float>(momentum + (long)(first + lane) * size, size);
            TensorPrimitives.Lerp(m, g, 1 - beta, m);
            if (options.Nesterov)
                TensorPrimitives.Lerp(g, m, beta, u);
            else
                m.CopyTo(u);
            // The largest entry becomes 1, so that squares neither underflow nor overflow.
            var most = Math.Abs(TensorPrimitives.MaxMagnitude<float>(u));
            TensorPrimitives.Multiply(u, most > floor ? 1 / Math.Max(most, 1.1754944e-38f) : 0, u);
        }

        room.Scatter();
        NewtonSchulzKernel.Run(room, _lanes, options.NewtonSchulz);
        room.Gather();
        for (var lane = 0; lane < count; lane++)
        {
            var value = new Span<float>((float*)values[first + lane], size);
            var o = room.Staged(lane);
            TensorPrimitives.Multiply(o, -rate, o);
            TensorPrimitives.MultiplyAdd(value, shrink, o, value);
        }
    }
}

using Engram.Models.Memory;
using Engram.Tables;
using Engram.Torch.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Torch.Memory;

/// <summary>
/// Copies the rows of a batch out of the tables into tensors (paper §2.2, Eq. 2): the rows of all heads and orders side by side are the
/// memory of a token.
/// </summary>
public static class MemoryGathering
{
    private const int LongestSpan = int.MaxValue;

    /// <summary>
    /// Rows of consecutive sequences as tensors [B, T, d_mem], one per memory layer. Rows of tables in memory are copied now. Of other
    /// stores, unless a gradient is wanted, reading is only started; they are copied when <see cref="GatheredMemory.Layer"/> asks for them.
    /// </summary>
    /// <param name="bank">The memory.</param>
    /// <param name="rows">Output of <see cref="MemoryBank.Address"/>.</param>
    /// <param name="first">First sequence.</param>
    /// <param name="sequences">Number of sequences B.</param>
    /// <param name="length">Positions per sequence T.</param>
    /// <param name="device">Where the model computes.</param>
    /// <param name="requiresGradient">In training: the tensors are leaves that receive a gradient.</param>
    public static GatheredMemory Gather(
        this MemoryBank bank,
        MemoryRows rows,
        int first,
        int sequences,
        int length,
        Device device,
        bool requiresGradient
    )
    {
        var gathered = new GatheredMemory();
        for (var position = 0; position < bank.LayerIds.Count; position++)
        {
            var (layer, store) = (bank.LayerIds[position], bank.Tables.Store(position));
            var slice = rows.Layer(position).Slice(first * length * bank.Columns, sequences * length * bank.Columns);
            if (requiresGradient || store.InMemory)
            {
                gathered.Set(layer, ToTensor(store, slice, sequences, length, device, requiresGradient));
                continue;
            }

            store.Prefetch(slice);
            var wanted = slice.ToArray();
            gathered.SetLater(layer, () => ToTensor(store, wanted, sequences, length, device, requiresGradient: false));
        }

        return gathered;
    }

    private static unsafe Tensor ToTensor(
        IRowStore store,
        ReadOnlySpan<long> rows,
        int sequences,
        int length,
        Device device,
        bool requiresGradient
    )
    {
        using var noGrad = no_grad();
        var memory = empty([sequences, length, rows.Length / (sequences * length) * store.Width], ScalarType.Float32);
        Gather(store, rows, HostTensor.Pointer(memory), LongestSpan);
        if (device.type != DeviceType.CPU)
        {
            using var host = memory;
            memory = host.to(device);
        }

        return requiresGradient ? memory.requires_grad_() : memory;
    }

    /// <summary>Copies rows [n] to [n, w], in as many pieces as spans of values are too short for.</summary>
    /// <param name="store">Where they come from.</param>
    /// <param name="rows">Their numbers.</param>
    /// <param name="destination">Room for all values.</param>
    /// <param name="longestSpan">Values that a span may have.</param>
    internal static unsafe void Gather(IRowStore store, ReadOnlySpan<long> rows, float* destination, int longestSpan)
    {
        for (var most = Math.Max(1, longestSpan / store.Width); rows.Length > 0; )
        {
            var piece = rows[..Math.Min(most, rows.Length)];
            store.Gather(piece, new Span<float>(destination, piece.Length * store.Width), get_num_threads());
            rows = rows[piece.Length..];
            destination += (long)piece.Length * store.Width;
        }
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Engram.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Torch.Kernels;

/// <summary>Direct access to the storage of contiguous float32 tensors in host memory, for managed kernels.</summary>
internal static unsafe class HostTensor
{
    private const int LeastRows = 64;

    /// <summary>Whether a managed kernel can work on the tensor (after making it contiguous).</summary>
    public static bool Handles(Tensor tensor) => tensor.dtype == ScalarType.Float32 && tensor.device_type == DeviceType.CPU;

    /// <summary>First element of a contiguous tensor of any size, null if it has none. Valid while the tensor lives.</summary>
    public static float* Pointer(Tensor tensor) => Pointer(tensor, int.MaxValue / sizeof(float));

    /// <inheritdoc cref="Pointer(Tensor)"/>
    /// <param name="tensor">The tensor.</param>
    /// <param name="longestSpan">Elements that a span of the whole tensor may have.</param>
    internal static float* Pointer(Tensor tensor, int longestSpan)
    {
        if (!tensor.is_contiguous() || !Handles(tensor))
            throw new ArgumentException("The kernel needs a contiguous float32 tensor in host memory.", nameof(tensor));
        if (tensor.numel() == 0)
            return null;
        if (tensor.numel() <= longestSpan)
            return First(tensor);
        using var flat = tensor.view(-1);
        using var first = flat.narrow(0, 0, 1);
        return First(first);
    }

    private static float* First(Tensor tensor) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.bytes));

    /// <summary>
    /// Runs <paramref name="body"/> over [0, count) in as many consecutive parts as libtorch uses threads. The parts depend on the count
    /// and the thread setting alone, so sums over parts are reproducible.
    /// </summary>
    /// <param name="count">Number of independent items.</param>
    /// <param name="body">Receives part index, first item, end.</param>
    /// <param name="least">Fewer items than this are not worth a second thread.</param>
    /// <returns>The number of parts.</returns>
    public static int InParts(int count, Action<int, int, int> body, int least = LeastRows)
    {
        var parts = Parts(count, least);
        if (parts == 1)
            body(0, 0, count);
        else
            OpenMp.For(parts, part => body(part, (int)((long)count * part / parts), (int)((long)count * (part + 1) / parts)));
        return parts;
    }

    /// <summary>How many parts <see cref="InParts"/> will use.</summary>
    public static int Parts(int count, int least = LeastRows) => count < least ? 1 : Math.Clamp(get_num_threads(), 1, count);
}

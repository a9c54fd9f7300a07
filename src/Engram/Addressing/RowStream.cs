using System.Runtime.Intrinsics;

namespace Engram.Addressing;

/// <summary>
/// Copies rows to memory past the caches: a result larger than they are would evict what the program needs next, and be read from memory to
/// be overwritten.
/// </summary>
internal static unsafe class RowStream
{
    /// <summary>
    /// Results of at least this many rows are streamed (32 MiB): below, the last-level cache takes them faster
    /// (bench/results/addressing.md).
    /// </summary>
    public const long LeastRows = 1L << 22;

    /// <summary>Copies without caching the destination. A memory barrier must follow before another thread may read it.</summary>
    public static void Copy(long* source, long* destination, int count)
    {
        var i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i < count && ((nuint)(destination + i) & (nuint)(Vector512<byte>.Count - 1)) != 0; i++)
                destination[i] = source[i];
            for (; i + Vector512<long>.Count <= count; i += Vector512<long>.Count)
                Vector512.Load(source + i).StoreAlignedNonTemporal(destination + i);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            for (; i < count && ((nuint)(destination + i) & (nuint)(Vector128<byte>.Count - 1)) != 0; i++)
                destination[i] = source[i];
            for (; i + Vector128<long>.Count <= count; i += Vector128<long>.Count)
                Vector128.Load(source + i).StoreAlignedNonTemporal(destination + i);
        }
        for (; i < count; i++)
            destination[i] = source[i];
    }
}

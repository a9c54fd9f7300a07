namespace Engram.Inference.Kernels;

/// <summary>
/// Float32 values at an address that stays, aligned to a cache line. Grows, never shrinks; belongs to the garbage collector.
/// </summary>
internal sealed unsafe class FloatBuffer
{
    private const int Alignment = 64;

    private float[] _values = [];

    /// <summary>First value; another one after growth.</summary>
    public float* Pointer { get; private set; }

    /// <summary>Values that there is room for.</summary>
    public long Capacity { get; private set; }

    /// <summary>Makes room and returns the first value.</summary>
    /// <param name="count">Values that are needed.</param>
    /// <param name="kept">Values at the beginning that stay; the others are anything.</param>
    public float* Reserve(long count, long kept = 0)
    {
        if (count <= Capacity)
            return Pointer;
        var capacity = Math.Max(count, kept > 0 ? 2 * Capacity : 0);
        var values = GC.AllocateUninitializedArray<float>(checked((int)(capacity + Alignment / sizeof(float))), pinned: true);
        fixed (float* first = values)
        {
            var aligned = (float*)(((nint)first + Alignment - 1) & ~(nint)(Alignment - 1));
            Buffer.MemoryCopy(Pointer, aligned, capacity * sizeof(float), kept * sizeof(float));
            Pointer = aligned;
            (_values, Capacity) = (values, capacity);
        }

        return Pointer;
    }
}

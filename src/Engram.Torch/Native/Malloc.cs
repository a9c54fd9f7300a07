using System.Runtime.InteropServices;

namespace Engram.Torch.Native;

/// <summary>The C library's memory allocator, which serves every CPU tensor.</summary>
public static partial class Malloc
{
    // Names and numbers of glibc's <malloc.h>.
    private const int TrimThreshold = -1;
    private const int MmapThreshold = -3;
    private const int ArenaMax = -8;

    /// <summary>
    /// Lets the allocator keep memory that tensors give back. By default a block above 32 MB is mapped from the system and unmapped at
    /// every use, with a fault for each of its pages. For host programs, at start; a library must not decide this.
    /// </summary>
    /// <remarks>
    /// Allocating and filling a [4096, 4096] float tensor (64 MB) takes 8 ms instead of 29 on one thread, 5 instead of 16 on two; up to 32
    /// MB nothing changes, because glibc learns from the first block of a size. A larger padding of the heap (M_TOP_PAD) adds nothing. Only
    /// glibc's main heap can grow that far. The program's first thread uses it, and so do threads that first allocate after this call,
    /// unless they inherit the heap of one that ended. The price: the process keeps its peak memory until it ends.
    /// </remarks>
    /// <returns>Whether the allocator took all settings (glibc does; other C libraries may not).</returns>
    public static bool Tune()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            return mallopt(MmapThreshold, 1 << 30) == 1 & mallopt(TrimThreshold, int.MaxValue) == 1 & mallopt(ArenaMax, 1) == 1;
        }
        catch (EntryPointNotFoundException)
        {
            return false; // musl has no mallopt
        }
    }

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);
}

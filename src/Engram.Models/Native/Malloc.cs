using System.Runtime.InteropServices;

namespace Engram.Models.Native;

/// <summary>The C library's memory allocator, which serves every CPU tensor.</summary>
public static partial class Malloc
{
    // Names and numbers of glibc's <malloc.h>.
    private const int TrimThreshold = -1;
    private const int MmapThreshold = -3;

    /// <summary>
    /// Lets the allocator keep memory that tensors give back. By default a block above 32 MB at most is mapped from the system
    /// and unmapped at every use, and each new page costs a fault. For host programs, at start; a library must not decide this.
    /// </summary>
    /// <remarks>The process then holds its peak memory until it ends.</remarks>
    /// <returns>Whether the allocator took both settings (glibc does; other C libraries may not).</returns>
    public static bool Tune()
    {
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            return mallopt(MmapThreshold, 1 << 30) == 1 & mallopt(TrimThreshold, int.MaxValue) == 1;
        }
        catch (EntryPointNotFoundException)
        {
            return false;   // musl has no mallopt
        }
    }

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);
}

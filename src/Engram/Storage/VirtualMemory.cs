using System.Runtime.InteropServices;

namespace Engram.Storage;

/// <summary>
/// What the operating system is told and asked about pages of memory. On other systems than Linux every question is answered with "unknown"
/// and every advice ignored.
/// </summary>
internal static unsafe partial class VirtualMemory
{
    /// <summary>Size of a huge page on x86-64, and of the blocks that transparent huge pages need.</summary>
    public const long HugePageSize = 2 << 20;

    // Numbers of Linux's <sys/mman.h>.
    private const int ReadWrite = 0x1 | 0x2;
    private const int PrivateAnonymous = 0x02 | 0x20;
    private const int AdviseRandom = 1;
    private const int AdviseSequential = 2;
    private const int AdviseWillNeed = 3;
    private const int AdviseDontNeed = 4;
    private const int AdviseHugePage = 14;

    /// <summary>Bytes of a page.</summary>
    public static int PageSize => Environment.SystemPageSize;

    /// <summary>Zeroed memory that begins at a huge page and asks for huge pages; null if it cannot be had or this is not Linux.</summary>
    public static void* AllocateHuge(long bytes, out void* block, out nuint blockBytes)
    {
        block = null;
        blockBytes = 0;
        if (!OperatingSystem.IsLinux() || bytes > long.MaxValue - 2 * HugePageSize)
            return null;
        blockBytes = (nuint)((bytes + 2 * HugePageSize - 1) & ~(HugePageSize - 1));
        var mapped = mmap(null, blockBytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (mapped == (void*)-1)
            return null;
        block = mapped;
        var start = (byte*)(((nuint)mapped + HugePageSize - 1) & ~(nuint)(HugePageSize - 1));
        _ = madvise(start, (nuint)bytes, AdviseHugePage); // a kernel without them answers no, and small pages do
        return start;
    }

    /// <summary>Gives back what <see cref="AllocateHuge"/> took.</summary>
    public static void Free(void* block, nuint blockBytes) => _ = munmap(block, blockBytes);

    /// <summary>Says that a mapped file will be read at random, so that a fault reads its page and no neighbours.</summary>
    public static void ExpectRandomReads(void* start, long bytes) => Advise(start, bytes, AdviseRandom);

    /// <summary>Says that a mapped file will be read from its start to its end, so that a fault reads far ahead.</summary>
    public static void ExpectSequentialReads(void* start, long bytes) => Advise(start, bytes, AdviseSequential);

    /// <summary>Starts reading pages of a mapped file from the device and does not wait for them.</summary>
    public static void StartReading(void* start, long bytes) => Advise(start, bytes, AdviseWillNeed);

    /// <summary>
    /// Forgets the pages of a mapping: a file's content stays in the file and in the system's cache, memory without a file is zero again.
    /// </summary>
    public static void Forget(void* start, long bytes) => Advise(start, bytes, AdviseDontNeed);

    /// <summary>
    /// Whether the page at an address is in memory, for a mapped file: in the system's cache. True where it cannot be asked.
    /// </summary>
    public static bool IsResident(void* address)
    {
        if (!OperatingSystem.IsLinux())
            return true;
        byte state;
        return mincore((void*)((nuint)address & ~(nuint)(PageSize - 1)), (nuint)PageSize, &state) != 0 || (state & 1) == 1;
    }

    /// <summary>The setting in brackets of a line such as <c>always [madvise] never</c>; null where there is none.</summary>
    public static string? TransparentHugePages
    {
        get
        {
            const string setting = "/sys/kernel/mm/transparent_hugepage/enabled";
            if (!OperatingSystem.IsLinux() || !File.Exists(setting))
                return null;
            var text = File.ReadAllText(setting);
            var (open, close) = (text.IndexOf('[', StringComparison.Ordinal), text.IndexOf(']', StringComparison.Ordinal));
            return open >= 0 && close > open ? text[(open + 1)..close] : null;
        }
    }

    /// <summary>
    /// Whether <see cref="IsResident"/> tells the truth about a mapped file. Of files that the user may not write, Linux claims that all
    /// pages are in memory, so that nobody learns from them what others read.
    /// </summary>
    public static bool TellsResidency(string path)
    {
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            return true;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return false;
        }
    }

    /// <summary>Bytes of a range that lie in huge pages now; 0 where it is unknown.</summary>
    public static long HugePageBytes(void* start, long bytes)
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/proc/self/smaps"))
            return 0;
        var (first, last) = ((ulong)start, (ulong)start + (ulong)bytes);
        var inside = false;
        var sum = 0L;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            var dash = line.IndexOf('-', StringComparison.Ordinal);
            if (dash > 0 && ulong.TryParse(line.AsSpan(0, dash), System.Globalization.NumberStyles.HexNumber, null, out var from))
                inside =
                    ulong.TryParse(
                        line.AsSpan(dash + 1, line.IndexOf(' ', StringComparison.Ordinal) - dash - 1),
                        System.Globalization.NumberStyles.HexNumber,
                        null,
                        out var to
                    )
                    && from < last
                    && to > first;
            else if (inside && line.StartsWith("AnonHugePages:", StringComparison.Ordinal))
                sum += long.Parse(line.AsSpan("AnonHugePages:".Length, line.Length - "AnonHugePages:".Length - "kB".Length).Trim()) * 1024;
        }
        return Math.Min(sum, bytes);
    }

    private static void Advise(void* start, long bytes, int advice)
    {
        if (!OperatingSystem.IsLinux() || bytes <= 0)
            return;
        var first = (nuint)start & ~(nuint)(PageSize - 1);
        _ = madvise((void*)first, (nuint)start + (nuint)bytes - first, advice);
    }

    [LibraryImport("libc", SetLastError = false)]
    private static partial void* mmap(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc")]
    private static partial int munmap(void* address, nuint length);

    [LibraryImport("libc")]
    private static partial int madvise(void* address, nuint length, int advice);

    [LibraryImport("libc")]
    private static partial int mincore(void* address, nuint length, byte* states);
}

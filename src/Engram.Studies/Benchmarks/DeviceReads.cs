using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Engram.Studies.Benchmarks;

/// <summary>
/// What a storage device gives when nothing but the device is in the way: random reads of whole pages past the system's cache, many at a
/// time.
/// </summary>
internal static unsafe partial class DeviceReads
{
    public const int PageSize = 4096;

    // Numbers of Linux's <fcntl.h> on x86-64.
    private const int ReadOnlyDirect = 0x4000;
    private const int DontNeed = 4;

    /// <summary>Pages per second of reads by a number of threads at once.</summary>
    /// <param name="path">A file on the device.</param>
    /// <param name="pages">Page numbers to read, in any order.</param>
    /// <param name="inFlight">Reads at a time.</param>
    public static double PagesPerSecond(string path, ReadOnlySpan<long> pages, int inFlight)
    {
        var file = open(path, ReadOnlyDirect);
        if (file < 0)
            throw new IOException(
                $"{path} cannot be read past the system's cache (error {Marshal.GetLastPInvokeError()}): the file system may not allow it."
            );
        var order = pages.ToArray();
        new Random(1).Shuffle(order);
        var failures = 0;
        var start = Stopwatch.GetTimestamp();
        var threads = Enumerable.Range(0, inFlight).Select(part => new Thread(() => Read(part), 256 * 1024)).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _ = close(file);
        return failures == 0
            ? order.Length / seconds
            : throw new IOException($"{path}: {failures} of {order.Length} pages could not be read.");

        void Read(int part)
        {
            var buffer = NativeMemory.AlignedAlloc(PageSize, PageSize);
            for (var i = part; i < order.Length; i += inFlight)
                if (pread(file, buffer, PageSize, (nint)(order[i] * PageSize)) <= 0)
                    Interlocked.Increment(ref failures);
            NativeMemory.AlignedFree(buffer);
        }
    }

    /// <summary>
    /// Asks the system to forget a file's pages: the next reads come from the device. Pages that some process has mapped stay.
    /// </summary>
    public static void Forget(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        RandomAccess.FlushToDisk(file); // only clean pages are forgotten
        _ = posix_fadvise((int)file.DangerousGetHandle(), 0, 0, DontNeed);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc")]
    private static partial int close(int file);

    [LibraryImport("libc")]
    private static partial nint pread(int file, void* buffer, nuint bytes, nint offset);

    [LibraryImport("libc")]
    private static partial int posix_fadvise(int file, nint offset, nint bytes, int advice);
}

using Microsoft.Win32.SafeHandles;

namespace Engram.Storage;

/// <summary>
/// Gives pages of a sparse mapped file their place on the device before they are written through the mapping. A store into a hole of a file
/// on a full device would end the process with a signal; here it is an <see cref="IOException"/>, and nothing has been changed. One thread
/// at a time.
/// </summary>
internal sealed unsafe class PageReservations(string path, byte* start, long length) : IDisposable
{
    private readonly SafeFileHandle _file = File.OpenHandle(
        path,
        FileMode.Open,
        FileAccess.ReadWrite,
        FileShare.ReadWrite | FileShare.Delete
    );
    private readonly ulong[] _reserved = new ulong[(length / VirtualMemory.PageSize + 64) / 64];

    /// <summary>Reserves the pages of some bytes.</summary>
    /// <exception cref="IOException">The device is full.</exception>
    public void Reserve(void* address, long bytes)
    {
        if (bytes == 0)
            return;
        Span<byte> content = stackalloc byte[1];
        var first = ((byte*)address - start) / VirtualMemory.PageSize;
        var last = ((byte*)address - start + bytes - 1) / VirtualMemory.PageSize;
        for (var page = first; page <= last; page++)
        {
            if ((_reserved[page / 64] & 1UL << (int)(page % 64)) != 0)
                continue;
            // What is there, written once more by a call that can fail; read by a call too, because some file systems give a hole its place
            // when a mapping reads it.
            var offset = page * VirtualMemory.PageSize;
            RandomAccess.Read(_file, content, offset);
            RandomAccess.Write(_file, content, offset);
            _reserved[page / 64] |= 1UL << (int)(page % 64);
        }
    }

    public void Dispose() => _file.Dispose();
}

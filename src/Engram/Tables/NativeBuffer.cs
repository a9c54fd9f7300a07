using System.Runtime.InteropServices;
using Engram.Storage;

namespace Engram.Tables;

/// <summary>
/// Zeroed native memory for arrays beyond 2 GiB. Pages that are never written cost no physical memory on systems that give out zero pages
/// lazily, so a table of which few rows are used stays small. Large buffers ask for huge pages: a random read then seldom misses the
/// processor's address cache. Freed by <see cref="Dispose"/> alone.
/// </summary>
internal sealed unsafe class NativeBuffer<T> : IDisposable
    where T : unmanaged
{
    // A cache line, so that rows whose width is a multiple of it never straddle one.
    private const int Alignment = 64;

    // Below this the address cache holds a buffer in small pages, and a huge page would cost a table of few used rows 2 MiB each.
    private const long HugePagesFrom = 64 << 20;

    private void* _block;
    private readonly nuint _mappedBytes;
    private readonly T* _start;

    /// <exception cref="OutOfMemoryException">There is not enough memory; the message says how much is needed.</exception>
    public NativeBuffer(long length)
    {
        Length = length;
        try
        {
            var bytes = checked((nuint)length * (nuint)sizeof(T) + Alignment);
            if (
                bytes >= HugePagesFrom
                && VirtualMemory.AllocateHuge((long)bytes, out _block, out _mappedBytes) is var huge
                && huge is not null
            )
            {
                _start = (T*)huge;
                return;
            }
            _block = NativeMemory.AllocZeroed(bytes);
        }
        catch (Exception e) when (e is OutOfMemoryException or OverflowException)
        {
            throw new OutOfMemoryException(
                $"{length} values of {sizeof(T)} bytes need {(double)length * sizeof(T) / (1L << 30):F1} GiB of memory, which cannot be "
                    + "had.",
                e
            );
        }
        _start = (T*)(((nuint)_block + Alignment - 1) & ~(nuint)(Alignment - 1));
    }

    public long Length { get; }

    /// <summary>First element.</summary>
    public T* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_block is null, this);
            return _start;
        }
    }

    /// <summary>Bytes that lie in huge pages now.</summary>
    public long HugePageBytes => VirtualMemory.HugePageBytes(Pointer, Length * sizeof(T));

    /// <summary>Part of the buffer.</summary>
    public Span<T> Slice(long start, int length) => new(Pointer + start, length);

    /// <summary>Sets everything to zero. Mapped pages are given back, so that those never written again cost no memory.</summary>
    public void Clear()
    {
        if (_mappedBytes > 0)
            VirtualMemory.Forget(Pointer, Length * sizeof(T));
        else
            NativeMemory.Clear(Pointer, (nuint)Length * (nuint)sizeof(T));
    }

    public void Dispose()
    {
        if (_block is null)
            return;
        if (_mappedBytes > 0)
            VirtualMemory.Free(_block, _mappedBytes);
        else
            NativeMemory.Free(_block);
        _block = null;
    }
}

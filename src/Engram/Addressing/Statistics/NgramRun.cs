using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Engram.Addressing.Statistics;

/// <summary>
/// N-grams with their counts in ascending order of keys, each once: in memory, or in a temporary file that has no name any more and so is
/// gone when the process is.
/// </summary>
internal sealed class NgramRun : IDisposable
{
    private readonly ReadOnlyMemory<NgramCount> _memory;
    private readonly SafeFileHandle? _file;
    private readonly string _folder = "";

    /// <summary>A run in memory, which stays the caller's.</summary>
    public NgramRun(ReadOnlyMemory<NgramCount> content) => (_memory, Count) = (content, content.Length);

    /// <summary>An empty run on disk, to append to.</summary>
    /// <param name="folder">Where temporary files go.</param>
    /// <exception cref="IOException">No file can be made there.</exception>
    public NgramRun(string folder)
    {
        _folder = folder;
        var path = Path.Combine(folder, $"engram-ngrams-{Guid.NewGuid():N}.tmp");
        _file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete);
        File.Delete(path);
    }

    /// <summary>Distinct n-grams in the run.</summary>
    public long Count { get; private set; }

    /// <summary>Adds n-grams behind the last one.</summary>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Append(ReadOnlySpan<NgramCount> ngrams)
    {
        try
        {
            RandomAccess.Write(_file!, MemoryMarshal.AsBytes(ngrams), Count * Size);
        }
        catch (IOException error)
        {
            throw new IOException(
                $"{_folder}: no room for {Count + ngrams.Length} n-grams of {Size} bytes in a temporary file ({error.Message}). Free "
                    + "space, name another folder, or allow more memory.",
                error
            );
        }
        Count += ngrams.Length;
    }

    /// <summary>Reads n-grams from a position on.</summary>
    /// <param name="from">0 to <see cref="Count"/>.</param>
    /// <param name="destination">Receives them.</param>
    /// <returns>How many; fewer than there is room for only at the end.</returns>
    public int Read(long from, Span<NgramCount> destination)
    {
        var count = (int)Math.Min(destination.Length, Count - from);
        destination = destination[..count];
        if (_file is null)
            _memory.Span.Slice((int)from, count).CopyTo(destination);
        else
            ReadExactly(MemoryMarshal.AsBytes(destination), from * Size);
        return count;
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private static unsafe int Size => sizeof(NgramCount);

    private void ReadExactly(Span<byte> bytes, long offset)
    {
        while (bytes.Length > 0)
        {
            var read = RandomAccess.Read(_file!, bytes, offset);
            if (read == 0)
                throw new EndOfStreamException($"{_folder}: a temporary file is shorter than what was written to it.");
            bytes = bytes[read..];
            offset += read;
        }
    }
}

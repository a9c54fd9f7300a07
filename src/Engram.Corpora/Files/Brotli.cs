using System.Buffers;
using System.IO.Compression;

namespace Engram.Corpora.Files;

/// <summary>
/// Brotli data read to their end. The runtime's stream takes data that are cut short for complete ones; here they are an error.
/// </summary>
internal static class Brotli
{
    /// <summary>All that a compressed stream holds.</summary>
    /// <exception cref="InvalidDataException">The data are damaged or cut short.</exception>
    public static MemoryStream Decompress(Stream compressed)
    {
        using var held = new MemoryStream();
        compressed.CopyTo(held);
        var source = new ReadOnlySpan<byte>(held.GetBuffer(), 0, (int)held.Length);
        var content = new MemoryStream();
        var piece = new byte[1 << 16];
        using var decoder = new BrotliDecoder();
        OperationStatus status;
        do
        {
            status = decoder.Decompress(source, piece, out var consumed, out var written);
            source = source[consumed..];
            content.Write(piece, 0, written);
        } while (status == OperationStatus.DestinationTooSmall);
        content.Position = 0;
        return status == OperationStatus.Done && source.IsEmpty
            ? content
            : throw new InvalidDataException(status == OperationStatus.NeedMoreData ? "it is cut short." : "it is no Brotli.");
    }
}

using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.GZip;

namespace Engram.Corpora.Files;

/// <summary>Files whose name ends with what they are compressed with.</summary>
internal static class Compression
{
    private static readonly Dictionary<string, Func<Stream, Stream>> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        // Unlike the runtime's, this one refuses data that are cut short.
        [".gz"] = compressed => new GZipInputStream(compressed),
        [".br"] = Brotli.Decompress,
        [".zst"] = compressed => new ZstdSharp.DecompressionStream(compressed),
    };

    /// <summary>The compressions' endings.</summary>
    public static IEnumerable<string> Kinds => Known.Keys;

    /// <summary>What a file holds and what it is compressed with (null if with nothing), both as endings of its name.</summary>
    public static (string Kind, string? Compression) KindOf(ReadOnlySpan<char> name)
    {
        var last = Path.GetExtension(name).ToString();
        return Known.ContainsKey(last) ? (Path.GetExtension(name[..^last.Length]).ToString(), last.ToLowerInvariant()) : (last, null);
    }

    /// <summary>The content of a file; the file itself if it is compressed with nothing.</summary>
    public static Stream Open(Stream file, string? compression) => compression is null ? file : Known[compression](file);

    /// <summary>Whether an error says that compressed data are damaged.</summary>
    public static bool IsDamage(Exception error) => error is ZstdSharp.ZstdException or SharpZipBaseException or EndOfStreamException;
}

using System.Text;

namespace Engram.Corpora.Files;

/// <summary>
/// Plain text: one document per file, or several divided by lines that read <c>&lt;|endoftext|&gt;</c>, the customary separator of text
/// collections.
/// </summary>
internal static class TextFile
{
    internal const string Separator = "<|endoftext|>";

    // Bytes that are not UTF-8 would become U+FFFD silently and be learnt as text.
    internal static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static IEnumerable<Document> Read(Stream content, string name)
    {
        var text = ReadText(content, name);
        var part = 1;
        var start = 0;
        for (var end = FindSeparator(text, 0); end >= 0; end = FindSeparator(text, start))
        {
            yield return new Document($"{name}#{part++}", text[start..end]);
            start = end + Separator.Length;
            while (start < text.Length && text[start] is '\r' or '\n')
                start++;
        }
        yield return part == 1 ? new Document(name, text) : new Document($"{name}#{part}", text[start..]);
    }

    private static int FindSeparator(string text, int from)
    {
        for (
            var at = text.IndexOf(Separator, from, StringComparison.Ordinal);
            at >= 0;
            at = text.IndexOf(Separator, at + 1, StringComparison.Ordinal)
        )
        {
            var end = at + Separator.Length;
            if ((at == 0 || text[at - 1] == '\n') && (end == text.Length || text[end] is '\r' or '\n'))
                return at;
        }
        return -1;
    }

    private static string ReadText(Stream content, string name)
    {
        using var held = new MemoryStream();
        content.CopyTo(held);
        var bytes = held.GetBuffer().AsSpan(0, (int)held.Length);
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException error)
        {
            throw new InvalidDataException(
                $"{name}: not UTF-8 text (byte {error.Index}). Convert the file to UTF-8 or leave it out.",
                error
            );
        }
    }
}

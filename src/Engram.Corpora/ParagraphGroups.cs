using Engram.Corpora.Files;

namespace Engram.Corpora;

/// <summary>
/// Cuts a long document into groups of whole paragraphs, for corpora of so few documents that they cannot be divided into training and
/// validation as they are. The pieces, put together, are the text.
/// </summary>
internal static class ParagraphGroups
{
    /// <summary>A piece ends at the first blank line after this many characters.</summary>
    internal const int Target = 2000;

    // Text without a blank line in reach is cut at a line end, else at a space, else anywhere.
    private const int Limit = 2 * Target;

    internal static IEnumerable<Document> Cut(Document document)
    {
        var text = document.Text;
        if (text.Length <= Limit)
        {
            yield return document;
            yield break;
        }
        var number = 1;
        for (var start = 0; start < text.Length; )
        {
            var end = EndOfPiece(text, start);
            yield return new Document($"{document.Name}#{number++}", text[start..end], start == 0 ? document.TitleLength : 0);
            start = end;
        }
    }

    private static int EndOfPiece(string text, int start)
    {
        if (text.Length - start <= Limit)
            return text.Length;
        var reach = text.AsSpan(start + Target, Limit - Target);
        foreach (var boundary in (ReadOnlySpan<string>)["\n\n", "\n\r\n", "\n", " "])
            if (reach.IndexOf(boundary) is var at and >= 0)
                return start + Target + at + boundary.Length;
        var end = start + Limit;
        return char.IsHighSurrogate(text[end - 1]) ? end - 1 : end;
    }
}

using System.Text;

namespace Engram.Evaluation.Metrics;

/// <summary>
/// Losses of whole documents, related to a length that no tokenizer decides (lm-evaluation-harness: <c>word_perplexity</c>,
/// <c>byte_perplexity</c>, <c>bits_per_byte</c>).
/// </summary>
public static class Perplexity
{
    /// <summary>exp(total nats / words).</summary>
    public static double PerWord(double nats, long words) => Math.Exp(nats / words);

    /// <summary>exp(total nats / UTF-8 bytes).</summary>
    public static double PerByte(double nats, long bytes) => Math.Exp(nats / bytes);

    /// <summary>total nats / (ln 2 · UTF-8 bytes).</summary>
    public static double BitsPerByte(double nats, long bytes) => nats / (double.Log(2) * bytes);

    /// <summary>UTF-8 bytes of a document.</summary>
    public static int Bytes(string document) => Encoding.UTF8.GetByteCount(document);

    /// <summary>
    /// The pieces between runs of white space, empty ones at either end counted, as the harness counts words (<c>re.split("\s+",
    /// text)</c>).
    /// </summary>
    public static int Words(string document)
    {
        var (words, inSpace) = (1, false);
        foreach (var letter in document)
        {
            var space = char.IsWhiteSpace(letter) || letter is >= '\u001c' and <= '\u001f'; // Python's white space
            if (space && !inSpace)
                words++;
            inSpace = space;
        }
        return words;
    }
}

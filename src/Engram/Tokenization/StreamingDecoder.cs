using System.Text;

namespace Engram.Tokenization;

/// <summary>
/// Decodes ids one at a time. Text is handed out as soon as its characters are complete: the bytes of an unfinished UTF-8 sequence wait for
/// the next id. All texts together equal <see cref="Tokenizer.Decode"/> of all ids. One instance serves one sequence; not thread-safe.
/// </summary>
public sealed class StreamingDecoder
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();

    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public StreamingDecoder(Tokenizer tokenizer, bool skipSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
    }

    /// <summary>Takes the next id.</summary>
    /// <param name="id">Token id; one without text adds nothing.</param>
    /// <returns>The text that is now complete, often one word, possibly empty.</returns>
    public string Append(int id) => _skipSpecialTokens && _tokenizer.IsSpecial(id) ? "" : Take(_tokenizer.TokenBytes(id), flush: false);

    /// <summary>Ends the sequence and makes the decoder ready for another one.</summary>
    /// <returns>U+FFFD if an unfinished character was waiting, otherwise the empty string.</returns>
    public string Flush() => Take([], flush: true);

    private string Take(ReadOnlySpan<byte> bytes, bool flush)
    {
        var count = _utf8.GetCharCount(bytes, flush);
        var text = count <= 256 ? stackalloc char[256] : new char[count];
        return text[.._utf8.GetChars(bytes, text, flush)].ToString();
    }
}

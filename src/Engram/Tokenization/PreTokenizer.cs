using System.Buffers;
using System.Text.Json;

namespace Engram.Tokenization;

/// <summary>Receives the pieces of a text, in order.</summary>
internal interface IPieceSink
{
    void Add(ReadOnlySpan<char> piece);
}

/// <summary>The stages that cut a text into the pieces byte-pair encoding works on. Immutable and thread-safe.</summary>
internal sealed class PreTokenizer
{
    /// <summary>The stages of DeepSeek-V3, as its tokenizer.json writes them.</summary>
    public static JsonElement DeepSeekJson { get; } =
        JsonElement.Parse(
            $$"""
            {
              "type": "Sequence",
              "pretokenizers": [
                {{SplitJson(DigitChunks.Pattern)}},
                {{SplitJson(HanKanaRuns.Pattern)}},
                {{SplitJson(DeepSeekWords.Pattern)}},
                { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false }
              ]
            }
            """
        );

    private readonly Stage[] _stages;

    private PreTokenizer(Stage[] stages, bool makesSymbols) => (_stages, MakesSymbols) = (stages, makesSymbols);

    /// <summary>
    /// Whether pieces are made of the characters that stand for bytes; otherwise they are text, and their bytes are to be taken.
    /// </summary>
    public bool MakesSymbols { get; }

    /// <summary>One stage: a splitter or a rewriter.</summary>
    internal readonly record struct Stage(TextSplitter? Splitter, PieceRewriter? Rewriter);

    /// <summary>Builds what a tokenizer.json describes.</summary>
    /// <param name="json">The section; null makes whole texts pieces.</param>
    /// <param name="textIsSymbols">Whether a normalizer has made byte symbols of the text.</param>
    /// <param name="byteFallback">Whether the model has names for bytes, as SentencePiece's have; for the complaint.</param>
    /// <exception cref="InvalidDataException">
    /// An unknown type, an unsupported pattern, a malformed field, or no stage that makes bytes.
    /// </exception>
    public static PreTokenizer FromJson(TokenizerComponent json, bool textIsSymbols = false, bool byteFallback = false)
    {
        var reader = new PreTokenizerReader();
        if (json.Json.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined))
            reader.Append(json);
        if (!reader.HasByteLevel && !textIsSymbols)
            throw new InvalidDataException(
                $"{json.Source}: not a byte-level vocabulary{(byteFallback ? " but one of SentencePiece (byte_fallback)" : "")}: neither "
                    + "normalizer nor pre_tokenizer has a ByteLevel stage."
            );
        // Bytes are taken directly where ByteLevel is the last stage; elsewhere the stages behind it have to see its characters.
        var stages = reader.Stages;
        var lastMakesSymbols = stages.Count > 0 && stages[^1].Rewriter is ByteSymbols;
        return new PreTokenizer([.. lastMakesSymbols ? stages[..^1] : stages], makesSymbols: !lastMakesSymbols);
    }

    /// <summary>Sends the pieces of <paramref name="text"/> to the sink.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="sink">Must keep no reference to a piece.</param>
    public void Split<TSink>(ReadOnlySpan<char> text, ref TSink sink)
        where TSink : struct, IPieceSink, allows ref struct => Split(text, 0, ref sink);

    private void Split<TSink>(ReadOnlySpan<char> text, int stage, ref TSink sink)
        where TSink : struct, IPieceSink, allows ref struct
    {
        if (text.IsEmpty)
            return;
        if (stage == _stages.Length)
            sink.Add(text);
        else if (_stages[stage].Splitter is { } splitter)
            for (var cut = default(Cut); splitter.Next(text, ref cut); )
                Split(text[cut.Start..cut.End], stage + 1, ref sink);
        else
        {
            var rewriter = _stages[stage].Rewriter!;
            var changed = ArrayPool<char>.Shared.Rent(rewriter.MaxLength(text.Length));
            Split(changed.AsSpan(0, rewriter.Write(text, changed)), stage + 1, ref sink);
            ArrayPool<char>.Shared.Return(changed);
        }
    }

    private static string SplitJson(string pattern)
    {
        var regex = JsonEncodedText.Encode(pattern, MinimalJsonEncoder.Instance);
        return $$"""{ "type": "Split", "pattern": { "Regex": "{{regex}}" }, "behavior": "Isolated", "invert": false }""";
    }
}

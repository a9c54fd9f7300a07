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
    private const string Supported = "Split, ByteLevel, Digits, Sequence";
    private const int MostStages = 64;

    /// <summary>The stages of DeepSeek-V3, as its tokenizer.json writes them.</summary>
    public static JsonElement DeepSeekJson { get; } = JsonElement.Parse($$"""
        {
          "type": "Sequence",
          "pretokenizers": [
            {{SplitJson(DigitChunks.Pattern)}},
            {{SplitJson(HanKanaRuns.Pattern)}},
            {{SplitJson(DeepSeekWords.Pattern)}},
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false }
          ]
        }
        """);

    private readonly TextSplitter[] _stages;

    // Before this stage a space is put in front of every piece that has none; -1: never.
    private readonly int _prefixedStage;

    private PreTokenizer(TextSplitter[] stages, int prefixedStage)
    {
        _stages = stages;
        _prefixedStage = prefixedStage;
    }

    /// <summary>Builds what a tokenizer.json describes. It must end with ByteLevel, because the vocabulary is made of bytes.</summary>
    /// <exception cref="InvalidDataException">An unknown type, an unsupported pattern, or a malformed field.</exception>
    public static PreTokenizer FromJson(TokenizerComponent json)
    {
        var stages = new List<TextSplitter>();
        var prefixedStage = -1;
        var byteLevel = false;
        Append(json);
        if (!byteLevel) throw json.Error("ByteLevel is missing; only byte-level vocabularies are supported");
        return new PreTokenizer([.. stages], prefixedStage);

        void Append(TokenizerComponent part)
        {
            if (byteLevel) throw part.Error("nothing may follow ByteLevel");
            if (stages.Count == MostStages) throw part.Error($"more than {MostStages} stages");
            switch (part.Json.ValueKind == JsonValueKind.Object ? part.Type : throw part.Error("must be an object"))
            {
                case "Sequence":
                    foreach (var child in part.Children("pretokenizers")) Append(child);
                    break;
                case "Split":
                    stages.Add(Splitter(part));
                    break;
                case "Digits":
                    stages.Add(new DigitSplitter(part.Flag("individual_digits", absent: false)));
                    break;
                case "ByteLevel":
                    byteLevel = true;
                    if (part.Flag("add_prefix_space", absent: true)) prefixedStage = stages.Count;
                    if (part.Flag("use_regex", absent: true)) stages.Add(new Gpt2Words());
                    break;
                default:
                    throw part.UnknownType(Supported);
            }
        }
    }

    /// <summary>Sends the pieces of <paramref name="text"/> to the sink.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="sink">Must keep no reference to a piece.</param>
    public void Split<TSink>(ReadOnlySpan<char> text, ref TSink sink) where TSink : struct, IPieceSink, allows ref struct => Split(text, 0, ref sink);

    private void Split<TSink>(ReadOnlySpan<char> text, int stage, ref TSink sink) where TSink : struct, IPieceSink, allows ref struct
    {
        if (text.IsEmpty) return;
        if (stage == _prefixedStage && text[0] != ' ')
        {
            var prefixed = ArrayPool<char>.Shared.Rent(text.Length + 1);
            prefixed[0] = ' ';
            text.CopyTo(prefixed.AsSpan(1));
            SplitStage(prefixed.AsSpan(0, text.Length + 1), stage, ref sink);
            ArrayPool<char>.Shared.Return(prefixed);
        }
        else SplitStage(text, stage, ref sink);
    }

    private void SplitStage<TSink>(ReadOnlySpan<char> text, int stage, ref TSink sink) where TSink : struct, IPieceSink, allows ref struct
    {
        if (stage == _stages.Length)
        {
            sink.Add(text);
            return;
        }
        for (var start = 0; start < text.Length;)
        {
            var end = _stages[stage].PieceEnd(text, start);
            Split(text[start..end], stage + 1, ref sink);
            start = end;
        }
    }

    private static TextSplitter Splitter(TokenizerComponent split)
    {
        if (split.Text("behavior") != "Isolated" || split.Flag("invert", absent: false))
            throw split.Error($"Split with behavior {Excerpt.Of(split.Text("behavior"))} and invert {split.Flag("invert", absent: false)} is not supported; Isolated without invert is");
        return split.Pattern() switch
        {
            (DigitChunks.Pattern, true) => new DigitChunks(),
            (HanKanaRuns.Pattern, true) => new HanKanaRuns(),
            (DeepSeekWords.Pattern, true) => new DeepSeekWords(),
            _ => new PatternSplitter(split.CompiledPattern()),
        };
    }

    private static string SplitJson(string pattern) =>
        $$"""{ "type": "Split", "pattern": { "Regex": "{{JsonEncodedText.Encode(pattern, MinimalJsonEncoder.Instance)}}" }, "behavior": "Isolated", "invert": false }""";
}

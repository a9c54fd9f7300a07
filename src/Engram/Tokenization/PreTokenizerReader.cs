using System.Text.Json;
using Engram.Tokenization.Patterns;

namespace Engram.Tokenization;

/// <summary>Turns the "pre_tokenizer" of a tokenizer.json into stages.</summary>
internal sealed class PreTokenizerReader
{
    private const string Supported =
        "Split, ByteLevel, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, Metaspace, Sequence";

    private const int MostStages = 64;

    /// <summary>The stages, in order.</summary>
    public List<PreTokenizer.Stage> Stages { get; } = [];

    /// <summary>Whether one of them turns bytes into characters.</summary>
    public bool HasByteLevel { get; private set; }

    /// <exception cref="InvalidDataException">An unknown type, an unsupported pattern, or a malformed field.</exception>
    public void Append(TokenizerComponent part)
    {
        switch (part.Json.ValueKind == JsonValueKind.Object ? part.Type : throw part.Error("must be an object"))
        {
            case "Sequence":
                foreach (var child in part.Children("pretokenizers"))
                    Append(child);
                break;
            case "Split":
                Add(part, Splitter(part));
                break;
            case "ByteLevel":
                HasByteLevel = true;
                if (part.Flag("add_prefix_space", absent: true))
                    Add(part, new PrefixSpace());
                if (part.Flag("use_regex", absent: true))
                    Add(part, new Gpt2Words());
                Add(part, new ByteSymbols());
                break;
            case "Digits":
                Add(part, new DigitSplitter(part.Flag("individual_digits", absent: false)));
                break;
            case "Punctuation":
                Add(part, new PatternSplitter(PunctuationPattern(), Behavior(part, absent: "Isolated")));
                break;
            case "Whitespace":
                Add(part, new PatternSplitter(WordsOrSymbols(), SplitBehavior.Removed, invert: true));
                break;
            case "WhitespaceSplit":
                Add(part, new PatternSplitter(RunePattern.AnyOf(UnicodeProperties.WhiteSpace), SplitBehavior.Removed));
                break;
            case "BertPreTokenizer":
                Add(part, new PatternSplitter(RunePattern.AnyOf(UnicodeProperties.WhiteSpace), SplitBehavior.Removed));
                Add(part, new PatternSplitter(PunctuationPattern(), SplitBehavior.Isolated));
                break;
            case "CharDelimiterSplit":
                Add(part, new PatternSplitter(RunePattern.Literal(part.Text("delimiter")), SplitBehavior.Removed));
                break;
            case "Metaspace":
                AppendMetaspace(part);
                break;
            default:
                throw part.UnknownType(Supported);
        }
    }

    private void Add(TokenizerComponent part, TextSplitter splitter) => Add(part, new PreTokenizer.Stage(splitter, null));

    private void Add(TokenizerComponent part, PieceRewriter rewriter) => Add(part, new PreTokenizer.Stage(null, rewriter));

    private void Add(TokenizerComponent part, PreTokenizer.Stage stage)
    {
        if (Stages.Count == MostStages)
            throw part.Error($"more than {MostStages} stages");
        Stages.Add(stage);
    }

    private static TextSplitter Splitter(TokenizerComponent split)
    {
        var behavior = Behavior(split, absent: null);
        var invert = split.Flag("invert", absent: false);
        if (behavior == SplitBehavior.Isolated)
        {
            switch (split.Pattern())
            {
                case (DigitChunks.Pattern, true):
                    return new DigitChunks();
                case (HanKanaRuns.Pattern, true):
                    return new HanKanaRuns();
                case (DeepSeekWords.Pattern, true):
                    return new DeepSeekWords();
            }
        }
        return new PatternSplitter(split.CompiledPattern(), behavior, invert);
    }

    private static SplitBehavior Behavior(TokenizerComponent json, string? absent)
    {
        var name = absent is not null && !json.Has("behavior") ? absent : json.Text("behavior");
        return Enum.GetNames<SplitBehavior>().Contains(name)
            ? Enum.Parse<SplitBehavior>(name)
            : throw json.Error($"behavior {Excerpt.Of(name)} does not exist; {string.Join(", ", Enum.GetNames<SplitBehavior>())} do");
    }

    private void AppendMetaspace(TokenizerComponent part)
    {
        var replacement = part.Text("replacement");
        if (replacement.Length != 1)
            throw part.Error("\"replacement\" must be one character of the basic plane");
        // Older files say add_prefix_space where newer ones have a scheme.
        var scheme =
            part.Has("prepend_scheme") ? part.Text("prepend_scheme")
            : part.Flag("add_prefix_space", absent: true) ? "always"
            : "never";
        if (scheme is not ("always" or "never"))
            throw part.Error($"Metaspace with prepend_scheme {Excerpt.Of(scheme)} is not supported; always and never are");
        Add(part, new SpaceReplacement(replacement[0], scheme == "always"));
        if (part.Flag("split", absent: true))
            Add(part, new PatternSplitter(RunePattern.Literal(replacement), SplitBehavior.MergedWithNext));
    }

    /// <summary>Punctuation as the reference's stages see it: that of an older Unicode version, and the symbols of ASCII.</summary>
    private static RunePattern PunctuationPattern() =>
        RunePattern.AnyOf(UnicodeProperties.Punctuation.Difference(UnicodeProperties.Find("#Other_Punctuation")!));

    /// <summary>\w+|[^\w\s]+ of Rust's regular expressions.</summary>
    private static RunePattern WordsOrSymbols()
    {
        var word = UnicodeProperties.RustWord;
        return new RunePattern(new PatternNode.Choice([Run(word), Run(word.Union(UnicodeProperties.WhiteSpace).Complement())]));

        static PatternNode Run(RuneRanges set) => new PatternNode.Repeated(new PatternNode.One(set), 1, int.MaxValue, Greed.Greedy);
    }
}

using System.Text;
using System.Text.Json.Nodes;
using Engram.Tokenization;
using Engram.Vocabulary;

namespace Engram.Tests.Tokenization;

/// <summary>What vocabularies in wide use have and DeepSeek-V3's has not. The expected ids are those of the reference library.</summary>
public sealed class ForeignVocabularyTests
{
    /// <summary>Bytes that no UTF-8 text contains.</summary>
    private static readonly int[] NeverUsed = [0xC0, 0xC1, .. Enumerable.Range(0xF5, 11)];

    /// <summary>A vocabulary without some bytes; the ids of the others stay in a row.</summary>
    private static TinyTokenizer Without(params int[] bytes)
    {
        var tiny = new TinyTokenizer();
        var vocabulary = new JsonObject();
        foreach (var value in Enumerable.Range(0, 256).Except(bytes))
            vocabulary.Add(ByteLevelAlphabet.Symbol((byte)value).ToString(), vocabulary.Count);
        tiny.Model["vocab"] = vocabulary;
        return tiny;
    }

    [Fact]
    public void BytesThatUtf8NeverUses_MayBeMissing()
    {
        var tokenizer = Without(NeverUsed).Build();
        Assert.Equal(243, tokenizer.VocabularySize);
        int[] ids = [193, 169, 32, 193, 188, 32, 228, 188, 162, 32, 238, 159, 152, 128];
        Assert.Equal(ids, tokenizer.Encode("é ü 漢 😀"));
        Assert.Equal("é ü 漢 😀", tokenizer.Decode(ids));
        Assert.Equal(243, CanonicalMap.Build(tokenizer).VocabularySize);
    }

    /// <summary>Without an unknown token a missing byte leaves nothing, and its neighbours meet.</summary>
    [Fact]
    public void AMissingByte_IsDropped()
    {
        var tiny = Without([.. NeverUsed, 0x0B, 0xF1]);
        Assert.Equal([119, 120], tiny.Build().Encode("x\vy"));
        Assert.Equal([119, 127, 127, 127, 120], tiny.Build().Encode("x\U00040000y"));
        tiny.Model["vocab"]!["xy"] = 241;
        tiny.Model["merges"] = new JsonArray("x y");
        Assert.Equal([241], tiny.Build().Encode("x\vy"));
        Assert.Equal("", tiny.Build().Decode(tiny.Build().Encode("\v")));
    }

    /// <summary>The unknown token stands for every missing byte, or with fuse_unk for a row of them.</summary>
    [Theory]
    [InlineData(false, new[] { 119, 242, 120, 242, 242 })]
    [InlineData(true, new[] { 119, 242, 120, 242 })]
    public void AMissingByte_IsTheUnknownToken(bool fuse, int[] expected)
    {
        var tiny = Without([.. NeverUsed, 0x0B]);
        tiny.Model["vocab"]!["<unk>"] = 242;
        tiny.Model["unk_token"] = "<unk>";
        tiny.Model["fuse_unk"] = fuse;
        Assert.Equal(expected, tiny.Build().Encode("x\vy\v\v"));
        Assert.Equal("x<unk>y", tiny.Build().Decode([119, 242, 120]));
    }

    /// <summary>
    /// The names of the bytes of the symbol (U+010B for 0x0B, in UTF-8 C4 8B), where the file asks for them and has them.
    /// </summary>
    [Fact]
    public void AMissingByte_WithByteFallback_IsTheNamesOfItsSymbol()
    {
        var tiny = Without([.. NeverUsed, 0x0B]);
        tiny.Model["byte_fallback"] = true;
        Assert.Equal([119, 120], tiny.Build().Encode("x\vy"));
        tiny.Model["vocab"]!["<0xC4>"] = 242;
        tiny.Model["vocab"]!["<0x8B>"] = 243;
        Assert.Equal([119, 242, 243, 120], tiny.Build().Encode("x\vy"));
    }

    [Theory]
    [InlineData("RobertaProcessing")]
    [InlineData("BertProcessing")]
    public void RobertaAndBertProcessing_PutTheirTokensAround(string type)
    {
        var tokenizer = new TinyTokenizer()
            .Added("<s>", special: true)
            .Added("</s>", special: true)
            .With(
                "post_processor",
                JsonNode.Parse(
                    $$"""
                    { "type": "{{type}}", "sep": ["</s>", 257], "cls": ["<s>", 256], "trim_offsets": true, "add_prefix_space": false }
                    """
                )
            )
            .Build();
        Assert.Equal([256, 97, 257], tokenizer.Encode("a", addSpecialTokens: true));
        Assert.Equal([97], tokenizer.Encode("a"));
    }

    /// <summary>
    /// DeepSeek-Coder adds "ü" and other letters that are symbols of bytes: they decode to themselves, although the reference takes them
    /// for bytes.
    /// </summary>
    [Theory]
    [InlineData("ab grüß dich")]
    [InlineData("x đem y")]
    [InlineData("Führer")]
    public void AddedTokensOfByteSymbols_DecodeToThemselves(string text)
    {
        var tokenizer = Without(NeverUsed).Added("grüß").Added("đem").Added("ü").Build();
        Assert.Contains(tokenizer.Encode(text), id => id >= 256);
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    /// <summary>Their canonical keys stay the reference's: "ü" is the byte FC, no text, and "đem" the bytes 11 65 6D.</summary>
    [Fact]
    public void AddedTokensOfByteSymbols_HaveTheKeysOfTheReference()
    {
        var tokenizer = Without(NeverUsed).Added("ü").Added("đem").Build();
        Assert.Equal("ü", CanonicalMap.KeyOf(tokenizer, 256));
        Assert.Equal("\u0011em", CanonicalMap.KeyOf(tokenizer, 257));
    }

    /// <summary>A letter that is an added token and the symbol of a byte that the vocabulary lacks stays out of encoding.</summary>
    [Fact]
    public void AddedTokens_StandForNoByte()
    {
        var tokenizer = Without(0xFC, 0x0B).Added("ü", id: 254).Added("ċ", id: 255).Build();
        Assert.Equal([119, 120], tokenizer.Encode("x\vy"));
        Assert.Equal([254], tokenizer.Encode("ü"));
    }

    [Fact]
    public void HolesInTheIds_StayEmpty()
    {
        var tokenizer = new TinyTokenizer().Added("<s>", special: true, id: 257).Added("</s>", special: true, id: 261).Build();
        Assert.Equal([97, 257, 98, 261], tokenizer.Encode("a<s>b</s>"));
        Assert.Equal("a<s>b</s>", tokenizer.Decode([97, 256, 257, 260, 98, 261]));
        Assert.Equal(262, tokenizer.VocabularySize);
        Assert.Null(tokenizer.IdToToken(256));
        Assert.True(tokenizer.TokenBytes(258).IsEmpty);
        Assert.False(tokenizer.IsSpecial(259));
        var map = CanonicalMap.Build(tokenizer);
        Assert.Equal(262, map.VocabularySize);
        Assert.All([258, 259, 260], id => Assert.Equal(map[256], map[id]));
        var copy = Tokenizer.Parse(tokenizer.ToJson(), "copy");
        Assert.Equal(tokenizer.Fingerprint, copy.Fingerprint);
        Assert.Equal(262, copy.VocabularySize);
    }

    [Fact]
    public void TruncationAndPadding_AreSaidToHaveNoEffect()
    {
        var tokenizer = new TinyTokenizer()
            .With("truncation", JsonNode.Parse("""{ "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0 }"""))
            .Build();
        Assert.Equal(7, tokenizer.Encode("a house").Length);
        Assert.Contains("\"max_length\":4", Assert.Single(tokenizer.IgnoredSections).Replace(" ", "", StringComparison.Ordinal));
        Assert.StartsWith("truncation: ", tokenizer.IgnoredSections[0]);
        Assert.Empty(new TinyTokenizer().Build().IgnoredSections);
    }

    /// <summary>Llama 2 and its kin: SentencePiece written as BPE, with names for the bytes.</summary>
    [Fact]
    public void AByteFallbackVocabulary_IsNamed()
    {
        var tiny = new TinyTokenizer()
            .With("pre_tokenizer", null)
            .With(
                "normalizer",
                JsonNode.Parse(
                    """
                    { "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" }, { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] }
                    """
                )
            );
        tiny.Model["byte_fallback"] = true;
        Assert.Contains("not a byte-level vocabulary", tiny.Refused().Message);
        Assert.Contains("SentencePiece (byte_fallback)", tiny.Refused().Message);
        tiny.Model["byte_fallback"] = false;
        Assert.DoesNotContain("SentencePiece", tiny.Refused().Message);
    }

    [Fact]
    public void AGitLfsPointer_IsNamed()
    {
        var pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n"u8.ToArray();
        Assert.Contains(
            "is a git-lfs pointer",
            Assert.Throws<InvalidDataException>(() => Tokenizer.Parse(pointer, "tokenizer.json")).Message
        );
    }

    /// <summary>string.Normalize refuses U+FFFE, which belongs to no text but stands in many.</summary>
    [Theory]
    [InlineData("ab \uFFFE cd", "ab \uFFFE cd")]
    [InlineData("\uFFFEe\u0301\uFFFE\uFFFEe\u0301", "\uFFFEé\uFFFE\uFFFEé")]
    [InlineData("e\uFFFE\u0301", "e\uFFFE\u0301")]
    public void ANoncharacter_IsNormalizedUnchanged(string text, string expected)
    {
        var tokenizer = new TinyTokenizer().With("normalizer", JsonNode.Parse("""{ "type": "NFC" }""")).Build();
        Assert.Equal(expected, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void ANoncharacter_BreaksNoCanonicalMap()
    {
        var tokenizer = new TinyTokenizer().Added("A\uFFFEÉ").Added("a\uFFFEe").Build();
        Assert.Equal("a\uFFFEe", CanonicalMap.KeyOf(tokenizer, 256));
        var map = CanonicalMap.Build(tokenizer);
        Assert.Equal(map[256], map[257]);
    }

    /// <summary>Every scalar passes every normalizer and the canonical key.</summary>
    [Fact]
    public void EveryScalar_IsNormalized()
    {
        var normalizer = new JsonArray([
            .. new[] { "NFD", "NFKC", "NFC", "NFKD", "Lowercase", "StripAccents" }.Select(type => new JsonObject { ["type"] = type }),
        ]);
        var tokenizer = new TinyTokenizer()
            .With("normalizer", new JsonObject { ["type"] = "Sequence", ["normalizers"] = normalizer })
            .Build();
        var text = new StringBuilder();
        for (var value = 0; value <= 0x10FFFF; value++)
            if (Rune.IsValid(value))
                text.Append(new Rune(value)).Append(' ');
        Assert.True(tokenizer.Encode(text.ToString()).Length > 2_000_000);
        CanonicalKey.Normalize(text.ToString());
    }

    /// <summary>The era name of 2019 is newer than the reference's tables, and a letter may equal two where case is ignored.</summary>
    [Fact]
    public void UnicodeVersions_AreTheReferences()
    {
        var nfkc = new TinyTokenizer().With("normalizer", JsonNode.Parse("""{ "type": "NFKC" }""")).Build();
        Assert.Equal("\u32FF元年", nfkc.Decode(nfkc.Encode("\u32FF元年")));
        Assert.Equal("明治元年", nfkc.Decode(nfkc.Encode("\u337E元年")));
        var folding = new TinyTokenizer()
            .With(
                "pre_tokenizer",
                TinyTokenizer.Sequence("pretokenizers", TinyTokenizer.SplitStage("(?i:ss|k)"), TinyTokenizer.ByteLevel())
            )
            .Build();
        Assert.Equal(["ß", " ", "ss", " ", "SS", " ", "\u212A"], folding.Pieces("ß ss SS \u212A").Select(piece => piece.Text));
    }

    [Fact]
    public void ByteLevelAsNormalizer_NeedsNoPreTokenizer()
    {
        var tokenizer = new TinyTokenizer()
            .Merge("Ã", "©")
            .Merge("Ġ", "x")
            .With("normalizer", JsonNode.Parse("""{ "type": "ByteLevel" }"""))
            .With("pre_tokenizer", null)
            .Build();
        Assert.Equal([256, 257, 226, 130, 172], tokenizer.Encode("é x€"));
        Assert.Equal(["é x€"], tokenizer.Pieces("é x€").Select(piece => piece.Text));
    }

    /// <summary>Special tokens typed into a text are tokens unless told otherwise.</summary>
    [Theory]
    [InlineData(TypedTokens.Recognized, new[] { 256, 97, 257 })]
    [InlineData(TypedTokens.SpecialAsText, new[] { 60, 115, 62, 97, 257 })]
    [InlineData(TypedTokens.AllAsText, new[] { 60, 115, 62, 97, 60, 85, 62 })]
    public void TypedTokens_AreTextWhereAsked(TypedTokens typed, int[] expected)
    {
        foreach (var normalized in new[] { false, true })
        {
            var tokenizer = new TinyTokenizer()
                .Added("<s>", special: true, normalized: normalized)
                .Added("<U>", normalized: normalized)
                .Build();
            Assert.Equal(expected, tokenizer.Encode("<s>a<U>", typedTokens: typed));
            Assert.Equal(expected, tokenizer.Pieces("<s>a<U>", typed).SelectMany(piece => piece.Ids));
        }
    }
}

using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>tokenizer.json in and out.</summary>
public sealed class TokenizerJsonTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("engram-tokenizer-");

    public void Dispose() => _folder.Delete(recursive: true);

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    private static TinyTokenizer WithEverything() =>
        new TinyTokenizer()
            .Merge("a", "b")
            .Merge("ab", "c")
            .Merge("Ġ", "ab")
            .Added("<s>", special: true)
            .Added("<x y>", normalized: true, singleWord: true, left: true, right: true)
            .With("normalizer", TinyTokenizer.Sequence("normalizers", JsonNode.Parse("""{ "type": "NFC" }""")))
            .With(
                "pre_tokenizer",
                TinyTokenizer.Sequence(
                    "pretokenizers",
                    TinyTokenizer.SplitStage(@"\p{N}{1,3}"),
                    TinyTokenizer.ByteLevel(prefixSpace: true, useRegex: true)
                )
            )
            .With(
                "post_processor",
                JsonNode.Parse(
                    """
                    { "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
                      "pair": [], "special_tokens": { "<s>": { "id": "<s>", "ids": [259], "tokens": ["<s>"] } } }
                    """
                )
            )
            .With("padding", JsonNode.Parse("""{ "strategy": "BatchLongest", "pad_id": 0 }"""));

    [Fact]
    public void DeepSeekFile_SavedAndLoaded_IsTheSameTokenizer()
    {
        var original = TestData.DeepSeekV3();
        original.Save(PathOf("tokenizer.json"));
        var copy = Tokenizer.Load(PathOf("tokenizer.json"));
        foreach (var golden in DeepSeekGoldenTests.Goldens)
            Assert.Equal(golden.Ids, copy.Encode(golden.Text));
        Assert.Equal(original.AddedTokens, copy.AddedTokens);
        Assert.Equal(
            Enumerable.Range(0, original.VocabularySize).Select(original.IdToToken),
            Enumerable.Range(0, copy.VocabularySize).Select(copy.IdToToken)
        );
        Assert.Equal(original.Fingerprint, copy.Fingerprint);
        // Stored with every model that uses this vocabulary: the canonical form may not change.
        Assert.Equal("90aa50e16419b7f0ecede90f37230e521444200a259d55c0609ac2b67ff07dc0", copy.Fingerprint);

        // Beyond the same behaviour: the same JSON, but for the key that newer files have.
        using var before = JsonDocument.Parse(File.ReadAllBytes(TestData.Find("deepseek-v3/tokenizer.json")!));
        var after = JsonNode.Parse(File.ReadAllBytes(PathOf("tokenizer.json")))!;
        Assert.True(after["model"]!.AsObject().Remove("ignore_merges"));
        Assert.True(JsonNode.DeepEquals(JsonObject.Create(before.RootElement), after));
    }

    [Fact]
    public void Fingerprint_IsTheDigestOfTheSavedFile_AndIgnoresFormatting()
    {
        var tiny = WithEverything();
        var tokenizer = tiny.Build();
        tokenizer.Save(PathOf("a.json"));
        var digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(PathOf("a.json"))));
        Assert.Equal(digest, tokenizer.Fingerprint);
        Assert.Equal(digest, Tokenizer.Load(PathOf("a.json"), digest).Fingerprint);
        Assert.Equal(
            digest,
            Tokenizer
                .Parse(
                    Encoding.UTF8.GetBytes(tiny.Json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, IndentSize = 7 })),
                    "x"
                )
                .Fingerprint
        );
        tiny.Merge("b", "a");
        Assert.NotEqual(digest, tiny.Build().Fingerprint);
    }

    /// <summary>
    /// Key order, two-space indent, line feeds, no escape beyond what JSON requires: the pretty form of the reference library.
    /// </summary>
    [Fact]
    public void SavedFile_HasTheCanonicalForm()
    {
        WithEverything().Build().Save(PathOf("a.json"));
        var text = File.ReadAllText(PathOf("a.json"));
        Assert.StartsWith(
            "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": {\n    \"strategy\": \"BatchLongest\",",
            text
        );
        Assert.Contains(
            "    {\n      \"id\": 260,\n      \"content\": \"<x y>\",\n      \"single_word\": true,\n      \"lstrip\": true,\n      "
                + "\"rstrip\": true,\n      \"normalized\": true,\n      \"special\": false\n    }\n  ],",
            text
        );
        Assert.Contains("      \"\\\"\": 34,", text);
        Assert.Contains("      \"Ġ\": 32,", text);
        Assert.EndsWith("    \"merges\": [\n      \"a b\",\n      \"ab c\",\n      \"Ġ ab\"\n    ]\n  }\n}", text);
        Assert.Equal(
            ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"],
            JsonNode.Parse(text)!.AsObject().Select(property => property.Key)
        );
        Assert.Equal(
            [
                "type",
                "dropout",
                "unk_token",
                "continuing_subword_prefix",
                "end_of_word_suffix",
                "fuse_unk",
                "byte_fallback",
                "ignore_merges",
                "vocab",
                "merges",
            ],
            JsonNode.Parse(text)!["model"]!.AsObject().Select(property => property.Key)
        );
    }

    [Fact]
    public void Merges_AsPairs_OrBeforeTheVocabulary_AreRead()
    {
        var tiny = WithEverything();
        var expected = tiny.Build().Fingerprint;
        var merges = tiny.Model["merges"]!.AsArray();
        tiny.Model.Remove("merges");
        tiny.Model.Insert(
            0,
            "merges",
            new JsonArray([
                .. merges.Select(merge => new JsonArray([.. merge!.GetValue<string>().Split(' ').Select(part => (JsonNode)part)])),
            ])
        );
        Assert.Equal(expected, tiny.Build().Fingerprint);
    }

    [Fact]
    public void Template_PutsSpecialTokensAround()
    {
        var tokenizer = WithEverything().Build();
        Assert.Equal([259, 32, 120], tokenizer.Encode("x", addSpecialTokens: true));
        Assert.Equal([32, 120], tokenizer.Encode("x"));
        Assert.Equal([259], tokenizer.Encode("", addSpecialTokens: true));
        Assert.Equal([0, 90], (int[])[.. TestData.DeepSeekV3().Encode("<｜begin▁of▁sentence｜>x", addSpecialTokens: true)]);
    }

    [Fact]
    public void Templates_InSequence_Nest()
    {
        static string Template(string name, int id) =>
            $$"""
                { "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "{{name}}", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "{{name}}", "type_id": 0 } }],
                  "special_tokens": { "{{name}}": { "id": "{{name}}", "ids": [{{id}}], "tokens": [] } } }
                """;
        var json = $$"""{ "type": "Sequence", "processors": [{ "type": "ByteLevel" }, {{Template("i", 1)}}, {{Template("o", 2)}}] }""";
        Assert.Equal(
            [2, 1, 120, 1, 2],
            new TinyTokenizer().With("post_processor", JsonNode.Parse(json)).Build().Encode("x", addSpecialTokens: true)
        );
    }

    [Fact]
    public void IgnoreMerges_TakesWholeTokensAsTheyAre()
    {
        var tiny = new TinyTokenizer().Merge("b", "c").Merge("a", "b").Merge("ab", "c");
        Assert.Equal([97, 256], tiny.Build().Encode("abc"));
        tiny.Model["ignore_merges"] = true;
        Assert.Equal([258], tiny.Build().Encode("abc"));
        Assert.Equal([97, 256, 100], tiny.Build().Encode("abcd"));
    }

    [Fact]
    public void PrefixSpace_IsPutBeforeEveryPieceWithoutOne()
    {
        var tokenizer = new TinyTokenizer()
            .With(
                "pre_tokenizer",
                TinyTokenizer.Sequence(
                    "pretokenizers",
                    TinyTokenizer.SplitStage("[0-9]"),
                    TinyTokenizer.ByteLevel(prefixSpace: true, useRegex: true)
                )
            )
            .Build();
        Assert.Equal([" ab", " 1", " c", " d"], tokenizer.Pieces("ab1 c d").Select(piece => piece.Text));
    }

    [Fact]
    public void ByteOrderMark_IsNoPartOfTheFile() =>
        Assert.Contains("not valid JSON", Refused([0xEF, 0xBB, 0xBF, .. new TinyTokenizer().Bytes()]).Message);

    /// <summary>One fault each, and the words that must name it.</summary>
    public static TheoryData<string, string, string> Faults =>
        new()
        {
            { "version", "\"2.0\"", "version \"2.0\"" },
            { "model", "null", "model must be an object" },
            { "added_tokens", "{}", "added_tokens must be an array" },
            { "added_tokens", "[3]", "an added token must be an object" },
            { "added_tokens", """[{ "id": 256 }]""", "256 has no content" },
            { "added_tokens", """[{ "content": "x1" }]""", "\"x1\" has no id" },
            { "added_tokens", """[{ "id": 256, "content": "" }]""", "256 has no content" },
            { "added_tokens", """[{ "id": -1, "content": "x1" }]""", "must be an integer from 0" },
            { "added_tokens", """[{ "id": 256.5, "content": "x1" }]""", "must be an integer from 0" },
            { "added_tokens", """[{ "id": 256, "content": "x1" }, { "id": 257, "content": "x1" }]""", "\"x1\" is listed twice" },
            { "added_tokens", """[{ "id": 257, "content": "a" }]""", "\"a\" has id 257, but the vocabulary gives it id 97" },
            { "added_tokens", """[{ "id": 97, "content": "x1" }]""", "id 97 is given to both \"a\" and \"x1\"" },
            {
                "added_tokens",
                """[{ "id": 2000000000, "content": "x1" }]""",
                "\"x1\" has id 2000000000 although only 257 tokens are defined"
            },
            { "added_tokens", """[{ "id": 256, "content": "x1", "special": 1 }]""", "\"special\" must be true or false" },
            { "model.type", "\"Unigram\"", "type \"Unigram\" is not a byte-level vocabulary but one of SentencePiece" },
            { "model.dropout", "0.1", "dropout" },
            { "model.continuing_subword_prefix", "\"##\"", "continuing_subword_prefix" },
            { "model.end_of_word_suffix", "\"</w>\"", "end_of_word_suffix" },
            { "model.vocab", "[]", "vocab must be an object" },
            { "model.vocab", "{}", "not a byte-level vocabulary: it has no token for any byte" },
            { "model.vocab", """{ "a": 0, "a": 1 }""", "\"a\" is in the vocabulary twice, with ids 0 and 1" },
            { "model.vocab", """{ "a": 0, "b": 0 }""", "id 0 is given to both \"a\" and \"b\"" },
            { "model.vocab", """{ "a": 0, "b": 70000 }""", "\"b\" has id 70000 although only 2 tokens are defined" },
            { "model.vocab", """{ "a": "0" }""", "must be an integer" },
            { "model.vocab", """{ "\ud800": 0 }""", "not valid Unicode" },
            { "model.merges", "{}", "merges must be an array" },
            { "model.merges", "[\"ab\"]", "\"ab\" has no space" },
            { "model.merges", "[\"a zz\"]", "names \"zz\", which is not in the vocabulary" },
            { "model.merges", "[\"a b\"]", "names \"ab\", which is not in the vocabulary" },
            { "model.merges", "[\"a b c\"]", "contains a space" },
            { "model.merges", "[[\"a\"]]", "right part of a merge must be a string" },
            { "model.merges", "[[\"a\", \"b\", \"c\"]]", "a merge of two parts must be complete" },
            { "model.merges", "[7]", "a merge must be a string" },
            { "normalizer", """{ "type": "Precompiled" }""", "normalizer: type \"Precompiled\"" },
            { "normalizer", """{ "type": "Sequence", "normalizers": [{ "type": "Nmt" }] }""", "type \"Nmt\"" },
            { "normalizer", "{}", "\"type\" is missing" },
            { "normalizer", "[]", "\"type\" is missing" },
            { "normalizer", """{ "type": 1 }""", "\"type\" must be a string" },
            { "normalizer", """{ "type": "Replace", "pattern": { "String": "" }, "content": "" }""", "\"pattern\" is empty" },
            { "normalizer", """{ "type": "Replace", "pattern": "x", "content": "" }""", "\"pattern\" must be an object" },
            { "normalizer", """{ "type": "Replace", "pattern": {}, "content": "" }""", "must hold a \"String\" or a \"Regex\"" },
            { "normalizer", """{ "type": "Prepend", "prepend": "\udfff" }""", "not valid Unicode" },
            { "pre_tokenizer", "3", "must be an object" },
            { "pre_tokenizer", "null", "not a byte-level vocabulary" },
            { "pre_tokenizer", """{ "type": "UnicodeScripts" }""", "pre_tokenizer: type \"UnicodeScripts\"" },
            { "pre_tokenizer", """{ "type": "Metaspace" }""", "\"replacement\" is missing" },
            { "pre_tokenizer", """{ "type": "Metaspace", "replacement": "__" }""", "one character" },
            { "pre_tokenizer", """{ "type": "Metaspace", "replacement": "_", "prepend_scheme": "first" }""", "prepend_scheme \"first\"" },
            { "pre_tokenizer", """{ "type": "Digits" }""", "not a byte-level vocabulary" },
            { "pre_tokenizer", """{ "type": "Sequence", "pretokenizers": {} }""", "\"pretokenizers\" must be an array" },
            {
                "pre_tokenizer",
                """{ "type": "Split", "pattern": { "Regex": "(?x:a)" }, "behavior": "Isolated" }""",
                "the pattern \"(?x:a)\" uses this kind of group"
            },
            {
                "pre_tokenizer",
                """{ "type": "Split", "pattern": { "String": " " }, "behavior": "Kept" }""",
                "behavior \"Kept\" does not exist; Removed, Isolated"
            },
            {
                "pre_tokenizer",
                """{ "type": "Split", "pattern": { "String": " " }, "behavior": "Isolated", "invert": 1 }""",
                "\"invert\" must be true or false"
            },
            { "post_processor", """{ "type": "RobertaProcessing", "cls": ["<s>", 0] }""", "\"sep\" is missing" },
            {
                "post_processor",
                """{ "type": "BertProcessing", "cls": ["<s>", 256], "sep": ["</s>", 1] }""",
                "\"cls\" must be a token and its id"
            },
            { "post_processor", """{ "type": "PairProcessing" }""", "post_processor: type \"PairProcessing\"" },
            { "post_processor", """{ "type": "TemplateProcessing", "single": [] }""", "leaves out the text" },
            {
                "post_processor",
                """{ "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "x" } }], "special_tokens": {} }""",
                "\"x\" is missing"
            },
            {
                "post_processor",
                """{ "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "x" } }], "special_tokens": { "x": { "ids": [256] } } }""",
                "stands for \"256\", which is no id"
            },
            { "decoder", """{ "type": "WordPiece" }""", "decoder: type \"WordPiece\"" },
            { "decoder", """{ "type": "Fuse" }""", "must begin with ByteLevel" },
        };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Fault_GivesOneErrorThatNamesIt(string section, string json, string expected)
    {
        var tiny = new TinyTokenizer();
        var marker = "\"@here@\"";
        if (section.StartsWith("model.", StringComparison.Ordinal))
            tiny.Model[section[6..]] = "@here@";
        else
            tiny.Json[section] = "@here@";
        var file = Encoding.UTF8.GetString(tiny.Bytes()).Replace(marker, json, StringComparison.Ordinal);
        var error = Refused(Encoding.UTF8.GetBytes(file));
        Assert.StartsWith("tiny.json: ", error.Message);
        Assert.Contains(expected, error.Message);
    }

    [Fact]
    public void MissingBytes_WithAnUnknownTokenThatIsMissingToo_AreRefused()
    {
        var tiny = new TinyTokenizer();
        tiny.Model["unk_token"] = "<unk>";
        tiny.Build(); // never needed
        tiny.Model["vocab"]!.AsObject().Remove("a");
        Assert.Contains("lacks bytes, and the unk_token \"<unk>\"", tiny.Refused().Message);
    }

    [Theory]
    [InlineData("model")]
    [InlineData("model.vocab")]
    [InlineData("model.merges")]
    public void MissingPart_IsNamed(string section)
    {
        var tiny = new TinyTokenizer();
        Assert.True(section == "model" ? tiny.Json.Remove("model") : tiny.Model.Remove(section[6..]));
        Assert.Contains($"\"{section.Replace("model.", "", StringComparison.Ordinal)}\" is missing", tiny.Refused().Message);
    }

    [Fact]
    public void RepeatedKey_IsRefused()
    {
        var file = Encoding.UTF8.GetString(new TinyTokenizer().Bytes());
        Assert.Contains("\"version\" appears twice", Refused(Encoding.UTF8.GetBytes("{\"version\":\"1.0\"," + file[1..])).Message);
    }

    [Fact]
    public void BrokenText_IsRefused()
    {
        var file = new TinyTokenizer().Bytes();
        Assert.Contains("not valid JSON", Refused(file[..^2]).Message);
        Assert.Contains("not valid JSON", Refused([]).Message);
        Assert.Contains("not valid JSON", Refused([.. file, (byte)'x']).Message);
        Assert.Contains("not valid JSON", Refused(Encoding.UTF8.GetBytes("{\"extra\":" + new string('[', 100_000))).Message);
        file[50] = 0xFF;
        Assert.Contains("not valid UTF-8", Refused(file).Message);
    }

    /// <summary>Sections that would cost far more than their size: refused, or bounded.</summary>
    [Fact]
    public void Bombs_AreRefused()
    {
        var split = TinyTokenizer.SplitStage("a");
        var stages = TinyTokenizer.Sequence("pretokenizers", [.. Enumerable.Range(0, 5_000).Select(_ => split.DeepClone())]);
        Assert.Contains("more than 64 stages", new TinyTokenizer().With("pre_tokenizer", stages).Refused().Message);
        var steps = TinyTokenizer.Sequence(
            "normalizers",
            [.. Enumerable.Range(0, 5_000).Select(_ => JsonNode.Parse("""{ "type": "Lowercase" }"""))]
        );
        Assert.Contains("more than 64 steps", new TinyTokenizer().With("normalizer", steps).Refused().Message);
        var ids = string.Join(',', Enumerable.Repeat(1, 10_000));
        var places = string.Join(',', Enumerable.Repeat("""{ "SpecialToken": { "id": "x" } }""", 10_000));
        var template = $$"""{ "type": "TemplateProcessing", "single": [{{places}}], "special_tokens": { "x": { "ids": [{{ids}}] } } }""";
        Assert.Contains("more than 64 special ids", new TinyTokenizer().With("post_processor", JsonNode.Parse(template)).Refused().Message);
        Assert.Contains(
            "too long",
            new TinyTokenizer().With("pre_tokenizer", TinyTokenizer.SplitStage(new string('a', 20_000))).Refused().Message
        );
        var growing = new TinyTokenizer()
            .Added(new string('a', 1000), normalized: true)
            .With(
                "normalizer",
                JsonNode.Parse($$"""{ "type": "Replace", "pattern": { "String": "a" }, "content": "{{new string('b', 10_000)}}" }""")
            );
        Assert.Contains("longer than", growing.Refused().Message);
    }

    [Fact]
    public void Load_OfAMissingFile_NamesIt() =>
        Assert.Contains("absent.json", Assert.Throws<FileNotFoundException>(() => Tokenizer.Load(PathOf("absent.json"))).Message);

    [Fact]
    public void Load_OfAModifiedFile_IsRefusedWhereDeepSeekV3IsExpected()
    {
        WithEverything().Build().Save(PathOf("a.json"));
        var error = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(PathOf("a.json"), Tokenizer.DeepSeekV3Sha256));
        Assert.Contains(Tokenizer.DeepSeekV3Sha256, error.Message);
        Assert.Contains("a.json", error.Message);
    }

    [Fact]
    public void Save_ThatFails_LeavesTheOldFile()
    {
        var target = PathOf("a.json");
        Directory.CreateDirectory(target); // a folder cannot be replaced by a file
        File.WriteAllText(Path.Combine(target, "kept"), "");
        Assert.ThrowsAny<Exception>(() => new TinyTokenizer().Build().Save(target));
        Assert.True(File.Exists(Path.Combine(target, "kept")));
        Assert.Equal([target], Directory.GetFileSystemEntries(_folder.FullName));
    }

    private static InvalidDataException Refused(byte[] file) =>
        Assert.Throws<InvalidDataException>(() => Tokenizer.Parse(file, "tiny.json"));
}

using System.Text.Json.Nodes;

namespace Engram.Tests.Tokenization;

public sealed class NormalizerTests
{
    [Theory]
    [InlineData("""{ "type": "NFC" }""", "e\u0301", "\u00E9")]
    [InlineData("""{ "type": "NFD" }""", "\u00E9", "e\u0301")]
    [InlineData("""{ "type": "NFKC" }""", "ﬁ①", "fi1")]
    [InlineData("""{ "type": "NFKD" }""", "ｱé", "アe\u0301")]
    [InlineData("""{ "type": "Lowercase" }""", "ΑΣ ẞ Ⅷ 𐐀", "ασ ß ⅷ 𐐨")]
    [InlineData("""{ "type": "Lowercase" }""", "İI", "i\u0307i")]
    [InlineData("""{ "type": "StripAccents" }""", "e\u0301\u0903\u20DDx", "ex")]
    [InlineData("""{ "type": "Strip", "strip_left": true, "strip_right": true }""", "\u3000\u0085 x\uFEFF\u00A0", "x\uFEFF")]
    [InlineData("""{ "type": "Strip", "strip_left": true, "strip_right": false }""", " x ", "x ")]
    [InlineData("""{ "type": "Strip", "strip_left": false, "strip_right": true }""", " x ", " x")]
    [InlineData("""{ "type": "Prepend", "prepend": "_" }""", "x", "_x")]
    [InlineData("""{ "type": "Prepend", "prepend": "_" }""", "", "")]
    [InlineData("""{ "type": "Replace", "pattern": { "String": "a.b" }, "content": "-" }""", "a.bab a.b", "-ab -")]
    [InlineData("""{ "type": "Replace", "pattern": { "Regex": "[ \\t\\r\\n]+" }, "content": " " }""", "a \t\n b\u3000", "a b\u3000")]
    [InlineData(
        """{ "type": "Sequence", "normalizers": [{ "type": "NFKC" }, { "type": "Sequence", "normalizers": [{ "type": "Lowercase" }] }] }""",
        "Ａ",
        "a"
    )]
    public void Step_ChangesTheText(string json, string text, string expected)
    {
        var tokenizer = new TinyTokenizer().With("normalizer", JsonNode.Parse(json)).Build();
        Assert.Equal(expected, string.Concat(tokenizer.Pieces(text).Select(piece => piece.Text)));
    }

    [Theory]
    [InlineData("""{ "type": "Sequence", "normalizers": [] }""")]
    [InlineData("null")]
    public void NoStep_ChangesNothing(string json) =>
        Assert.Equal("Ａ e\u0301", new TinyTokenizer().With("normalizer", JsonNode.Parse(json)).Build().Pieces("Ａ e\u0301").Single().Text);

    [Fact]
    public void StepsThatGrowTextWithoutBound_AreStopped()
    {
        var doubling = """{ "type": "Replace", "pattern": { "String": "a" }, "content": "aaaaaaaaaa" }""";
        var json = $$"""{ "type": "Sequence", "normalizers": [{{string.Join(',', Enumerable.Repeat(doubling, 20))}}] }""";
        var tokenizer = new TinyTokenizer().With("normalizer", JsonNode.Parse(json)).Build();
        Assert.Contains("longer than", Assert.Throws<InvalidDataException>(() => tokenizer.Encode("aaaa")).Message);
    }
}

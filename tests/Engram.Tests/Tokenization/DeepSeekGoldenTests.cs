using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Engram.Tests.Tokenization;

/// <summary>The DeepSeek-V3 tokenizer against values measured with the reference library.</summary>
public sealed class DeepSeekGoldenTests
{
    public sealed record Golden(string Text, string[] Pieces, int[] Ids, int[] CanonicalIds);

    public static Golden[] Goldens { get; } =
        JsonSerializer.Deserialize<Golden[]>(
            File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Tokenization", "deepseek-v3-golden.json")),
            JsonSerializerOptions.Web
        )!;

    public static TheoryData<int> Rows => [.. Enumerable.Range(0, 52)];

    [Fact]
    public void Goldens_AreComplete() => Assert.Equal(52, Goldens.Length);

    [Theory]
    [MemberData(nameof(Rows))]
    public void Text_BecomesTheReferencePiecesAndIds(int row)
    {
        var tokenizer = TestData.DeepSeekV3();
        var golden = Goldens[row];
        Assert.Equal(golden.Pieces, tokenizer.Pieces(golden.Text).Select(piece => piece.Text));
        Assert.Equal(golden.Ids, tokenizer.Encode(golden.Text));
        Assert.Equal(golden.Text, tokenizer.Decode(golden.Ids));
    }

    [Theory]
    [InlineData("<｜User｜>Hi<｜Assistant｜>", new[] { 128803, 23166, 128804 })]
    [InlineData("<｜begin▁of▁sentence｜>a", new[] { 0, 67 })]
    [InlineData("<|EOT|>x <｜fim▁hole｜>", new[] { 128805, 90, 223, 128800 })]
    [InlineData("<｜tool▁calls▁begin｜>x", new[] { 128806, 90 })]
    [InlineData("a<｜place▁holder▁no▁0｜>b", new[] { 67, 128000, 68 })]
    [InlineData("<｜▁pad▁｜>", new[] { 2 })]
    [InlineData("<｜User｜ >x", new[] { 30, 28217, 6756, 28217, 1955, 90 })]
    [InlineData("", new int[0])]
    public void AddedTokens_AreFoundAsTheReferenceFindsThem(string text, int[] ids) =>
        Assert.Equal(ids, TestData.DeepSeekV3().Encode(text));

    [Theory]
    [InlineData(new[] { 53769 }, " \uFFFD", " \uFFFD")]
    [InlineData(new[] { 53769, 225 }, " 😀", " 😀")]
    [InlineData(new[] { 175, 257, 109 }, "\uFFFD", "\uFFFD")]
    [InlineData(new[] { 175, 257, 109, 118 }, "𠮷", "𠮷")]
    [InlineData(new[] { 0, 67, 1 }, "<｜begin▁of▁sentence｜>a<｜end▁of▁sentence｜>", "a")]
    [InlineData(new[] { 128803, 67 }, "<｜User｜>a", "<｜User｜>a")]
    [InlineData(new[] { 67, 128815, 129279, int.MaxValue, -1, 68 }, "ab", "ab")]
    public void Ids_DecodeAsTheReferenceDecodesThem(int[] ids, string text, string withoutSpecial)
    {
        Assert.Equal(text, TestData.DeepSeekV3().Decode(ids));
        Assert.Equal(withoutSpecial, TestData.DeepSeekV3().Decode(ids, skipSpecialTokens: true));
    }

    [Fact]
    public void EveryScalarValue_EncodesToTheReferenceDigest()
    {
        var tokenizer = TestData.DeepSeekV3();
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (ids, bytes) = (new List<int>(), new byte[64]);
        Span<char> text = stackalloc char[2];
        long total = 0;
        for (var value = 0; value <= 0x10FFFF; value++)
        {
            if (!Rune.TryCreate(value, out var rune))
                continue;
            ids.Clear();
            tokenizer.Encode(text[..rune.EncodeToUtf16(text)], ids);
            total += ids.Count;
            ids.Add(-1);
            for (var i = 0; i < ids.Count; i++)
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * 4), ids[i]);
            digest.AppendData(bytes, 0, ids.Count * 4);
        }
        // The digest depends on no Unicode table; the log says which one the other tests of this run used.
        TestContext.Current.TestOutputHelper!.WriteLine($"{RuntimeInformation.FrameworkDescription}: Unicode {UnicodeVersion()}");
        Assert.Equal(4_296_245, total);
        Assert.Equal(
            "a56d3b4831132f9dfaf87792361d9b7364478ac2696bd1b307e12fb204f2cc7e",
            Convert.ToHexStringLower(digest.GetHashAndReset())
        );
    }

    /// <summary>The newest version of which a character is assigned here.</summary>
    private static string UnicodeVersion() =>
        new[] { (0x88F, "17.0"), (0x1C89, "16.0"), (0x2FFC, "15.1"), (0x11F00, "15.0") }
            .Where(probe => CharUnicodeInfo.GetUnicodeCategory(probe.Item1) != UnicodeCategory.OtherNotAssigned)
            .Select(probe => probe.Item2)
            .FirstOrDefault("14.0 or older");

    [Fact]
    public void Vocabulary_HasThePublishedShape()
    {
        var tokenizer = TestData.DeepSeekV3();
        Assert.Equal(128_815, tokenizer.VocabularySize);
        Assert.Equal(818, tokenizer.AddedTokens.Count);
        Assert.Equal(804, tokenizer.AddedTokens.Count(token => token.Special));
        Assert.Equal(15, tokenizer.AddedTokens.Count(token => token.Normalized));
        Assert.Equal("Ġthe", tokenizer.IdToToken(270));
        Assert.Equal(270, tokenizer.TokenToId("Ġthe"));
        Assert.Null(tokenizer.IdToToken(128_815));
        Assert.Null(tokenizer.TokenToId(" the"));
        Assert.True(tokenizer.IsSpecial(128_805));
        Assert.False(tokenizer.IsSpecial(128_803));
    }
}

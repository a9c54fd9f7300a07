using System.Text;
using CsCheck;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

public sealed class StreamingDecoderTests
{
    private static readonly Tokenizer Bytes = new TinyTokenizer().Added("<s>", special: true).Added("<u>").Build();

    private static string Stream(Tokenizer tokenizer, IEnumerable<int> ids, bool skipSpecialTokens = false)
    {
        var decoder = new StreamingDecoder(tokenizer, skipSpecialTokens);
        return string.Concat(ids.Select(decoder.Append)) + decoder.Flush();
    }

    [Fact]
    public void Goldens_DecodeTheSameIdById()
    {
        var tokenizer = TestData.DeepSeekV3();
        foreach (var golden in DeepSeekGoldenTests.Goldens)
            Assert.Equal(golden.Text, Stream(tokenizer, golden.Ids));
    }

    /// <summary>Every split of every golden, also inside characters: what has come out is always a prefix, and the rest follows.</summary>
    [Fact]
    public void Goldens_SplitAnywhere_DecodeToPrefixes()
    {
        foreach (var golden in DeepSeekGoldenTests.Goldens)
        {
            var bytes = Encoding.UTF8.GetBytes(golden.Text);
            for (var split = 0; split <= bytes.Length; split++)
            {
                var decoder = new StreamingDecoder(Bytes);
                var head = string.Concat(bytes[..split].Select(value => decoder.Append(value)));
                Assert.StartsWith(head, golden.Text, StringComparison.Ordinal);
                Assert.DoesNotContain('\uFFFD', head);
                Assert.True(Encoding.UTF8.GetByteCount(head) > split - 4);
                Assert.Equal(
                    golden.Text[head.Length..],
                    string.Concat(bytes[split..].Select(value => decoder.Append(value))) + decoder.Flush()
                );
            }
        }
    }

    [Fact]
    public void AnyBytes_DecodeAsInOneGo() =>
        Gen.OneOf(Gen.Int[0, 255], Gen.Int[0x80, 0xF7], Gen.Int[256, 259], Gen.OneOf(0xF0, 0xE2, 0x9F, 0x98, 0x80))
            .Array[0, 16]
            .Sample(
                ids =>
                {
                    Assert.Equal(Bytes.Decode(ids), Stream(Bytes, ids));
                    Assert.Equal(Bytes.Decode(ids, skipSpecialTokens: true), Stream(Bytes, ids, skipSpecialTokens: true));
                },
                iter: 50_000
            );

    [Fact]
    public void Text_ComesOutAsSoonAsItIsComplete()
    {
        var decoder = new StreamingDecoder(Bytes);
        Assert.Equal(["", "", "", "😀", "a", "", "<u>"], new[] { 0xF0, 0x9F, 0x98, 0x80, 'a', 999_999, 257 }.Select(decoder.Append));
        Assert.Equal("", decoder.Append(0xE2));
        Assert.Equal("\uFFFDb", decoder.Append('b'));
        Assert.Equal("", decoder.Append(0xE2));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Equal("", decoder.Flush());
        Assert.Equal("c", decoder.Append('c'));
    }

    [Fact]
    public void VeryLongToken_DecodesWhole()
    {
        var tokenizer = new TinyTokenizer().Added(new string('漢', 5_000)).Build();
        Assert.Equal(new string('漢', 5_000), new StreamingDecoder(tokenizer).Append(256));
    }
}

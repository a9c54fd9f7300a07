using System.Text.Json.Nodes;
using CsCheck;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

/// <summary>Pieces in brackets are added tokens.</summary>
public sealed class AddedTokenTests
{
    private static string Cut(Tokenizer tokenizer, string text) =>
        string.Concat(tokenizer.Pieces(text).Select(piece => piece.IsAddedToken ? $"[{piece.Text}]" : piece.Text));

    [Theory]
    [InlineData("<a>", "[<a>]")]
    [InlineData("<a><ab>", "[<a>][<ab>]")]
    [InlineData("x<a>y", "x[<a>]y")]
    [InlineData("<<a>>", "<[<a>]>")]
    [InlineData("<a", "<a")]
    [InlineData("<ab", "<ab")]
    [InlineData("<ab><a", "[<ab>]<a")]
    [InlineData("", "")]
    public void Tokens_AreFoundAnywhere(string text, string expected) =>
        Assert.Equal(expected, Cut(new TinyTokenizer().Added("<a>").Added("<ab>").Build(), text));

    [Theory]
    [InlineData("abcd", "[abcd]")]
    [InlineData("abce", "[ab]ce")]
    [InlineData("xbcde", "x[bcd]e")]
    [InlineData("abc", "[ab]c")]
    [InlineData("bc", "bc")]
    public void Overlap_LeftmostThenLongest(string text, string expected) =>
        Assert.Equal(expected, Cut(new TinyTokenizer().Added("ab").Added("abcd").Added("bcd").Build(), text));

    [Fact]
    public void Matcher_EqualsAnObviousSearch()
    {
        var content = Gen.OneOf('a', 'b', '\uD83D').Array[1, 4].Select(units => new string(units));
        Gen.Select(content.Array[1, 6], Gen.OneOf('a', 'b', '\uD83D', 'x').Array[0, 12].Select(units => new string(units)))
            .Sample(
                (contents, text) =>
                {
                    var distinct = contents.Distinct().ToArray();
                    var matcher = new AddedTokenMatcher(distinct.Select((entry, id) => (entry, new AddedToken(id, entry))));
                    var start = Enumerable
                        .Range(0, text.Length + 1)
                        .First(at => at == text.Length || distinct.Any(entry => text[at..].StartsWith(entry, StringComparison.Ordinal)));
                    var longest = distinct
                        .Where(entry => text[start..].StartsWith(entry, StringComparison.Ordinal))
                        .MaxBy(entry => entry.Length);
                    var found = matcher.Find(text, 0, out var foundStart, out var foundEnd);
                    Assert.Equal((longest, start, start + (longest?.Length ?? 0)), (found?.Content, foundStart, foundEnd));
                },
                iter: 10_000
            );
    }

    /// <summary>
    /// Tokens that are not normalised are found in the raw text first; the others in the normalised rest, where they are themselves
    /// normalised.
    /// </summary>
    [Fact]
    public void RawTokens_GoBeforeNormalizedOnes()
    {
        var tokenizer = new TinyTokenizer()
            .Added("ABc", normalized: true)
            .Added("ab")
            .With("normalizer", JsonNode.Parse("""{ "type": "Lowercase" }"""))
            .Build();
        Assert.Equal("[ABc]", Cut(tokenizer, "Abc"));
        Assert.Equal("[ab]c", Cut(tokenizer, "abC"));
        Assert.Equal("x[ABc][ab]", Cut(tokenizer, "XaBCab"));
    }

    [Theory]
    [InlineData("a <m> b", "a[<m>]b")]
    [InlineData("a \n<m>\u3000\tb", "a[<m>]b")]
    [InlineData("<m> <m>", "[<m>][<m>]")]
    [InlineData(" <m> ", "[<m>]")]
    [InlineData("a<m>b", "a[<m>]b")]
    public void StrippingTokens_SwallowWhiteSpace(string text, string expected)
    {
        var tokenizer = new TinyTokenizer().Added("<m>", left: true, right: true).Build();
        Assert.Equal(expected, Cut(tokenizer, text));
    }

    [Fact]
    public void StrippingToken_LeavesWhiteSpaceThatAnotherTokenTook()
    {
        var tokenizer = new TinyTokenizer().Added("<r>", right: true).Added("<l>", left: true).Build();
        Assert.Equal("[<r>][<l>]x", Cut(tokenizer, "<r>  <l>x"));
    }

    [Theory]
    [InlineData("ab", "[ab]")]
    [InlineData("x ab y", "x [ab] y")]
    [InlineData("xab", "xab")]
    [InlineData("abx", "abx")]
    [InlineData("ab_", "ab_")]
    [InlineData("1ab", "1ab")]
    [InlineData("ab\u0301", "ab\u0301")]
    [InlineData("𝔸ab", "𝔸ab")]
    [InlineData("-ab-", "-[ab]-")]
    [InlineData("½ab", "½[ab]")]
    [InlineData("abab ab", "abab [ab]")]
    public void SingleWord_NeedsNoWordCharacterBeside(string text, string expected) =>
        Assert.Equal(expected, Cut(new TinyTokenizer().Added("ab", singleWord: true).Build(), text));

    [Fact]
    public void SpecialToken_MayShareItsIdWithTheModel()
    {
        var tokenizer = new TinyTokenizer().Merge("a", "b").Added("ab", special: true, id: 256).Build();
        Assert.Equal(257, tokenizer.VocabularySize);
        Assert.Equal("x[ab]x", Cut(tokenizer, "xabx"));
        Assert.Equal("xx", tokenizer.Decode(tokenizer.Encode("xabx"), skipSpecialTokens: true));
    }

    [Fact]
    public void LoneSurrogate_MatchesATokenWithTheReplacementCharacter() =>
        Assert.Equal("a[\uFFFD]b", Cut(new TinyTokenizer().Added("\uFFFD").Build(), "a\uD800b"));
}

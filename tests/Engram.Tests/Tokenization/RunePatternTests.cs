using System.Text.RegularExpressions;
using CsCheck;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

public sealed class RunePatternTests
{
    /// <summary>Patterns of widely used vocabularies, and one for every construct they leave out.</summary>
    [Theory]
    [InlineData(@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(@"a(?=\s)|(b|c|[d-z])+|\P{L}{2}")]
    [InlineData(@"\d{2,}|.\S|\D")]
    [InlineData(@"(re|ll|s){2}|[\-\]\\^]|[^a-]")]
    public void Pattern_MatchesAsTheFrameworkDoes(string pattern)
    {
        var regex = new Regex(pattern);
        var splitter = new PatternSplitter(RunePattern.Parse(pattern));
        TextGen.Adversarial.Sample(text => Assert.Equal(RegexOracle.Split(text, regex), TextSplitterTests.Pieces(splitter, text)), iter: 5_000);
    }

    [Theory]
    [InlineData("a*?")]
    [InlineData("a++")]
    [InlineData("(a*)*")]
    [InlineData("(a+b)+")]
    [InlineData("(a|)+")]
    [InlineData("(?=a)*")]
    [InlineData("(?<=a)b")]
    [InlineData("(?<n>a)")]
    [InlineData("^a")]
    [InlineData("a$")]
    [InlineData(@"\bword")]
    [InlineData(@"\w+")]
    [InlineData(@"\1")]
    [InlineData(@"\p{Han}")]
    [InlineData(@"\p{L")]
    [InlineData(@"[a-z&&[^b]]")]
    [InlineData("[[:alpha:]]")]
    [InlineData("[]")]
    [InlineData("[z-a]")]
    [InlineData(@"[\s-z]")]
    [InlineData("[a")]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("*")]
    [InlineData("a{2,1}")]
    [InlineData("a{,3}")]
    [InlineData("a{99999}")]
    [InlineData("(abcdefghij){9999}")]
    [InlineData("\\")]
    public void Pattern_OutsideTheSupportedSyntax_IsRefused(string pattern)
    {
        var error = Assert.Throws<FormatException>(() => RunePattern.Parse(pattern));
        Assert.Contains("not supported", error.Message);
    }

    [Fact]
    public void Pattern_WithHalfASurrogatePair_IsRefused() => Assert.Throws<FormatException>(() => RunePattern.Parse("a\uD800"));

    [Fact]
    public void Pattern_NestedVeryDeeply_IsRefused() =>
        Assert.Throws<FormatException>(() => RunePattern.Parse(new string('(', 5000) + "a" + new string(')', 4999)));

    [Fact]
    public void Pattern_OfLiteralText_MatchesOnlyThatText()
    {
        var pattern = RunePattern.Literal("a.𠮷");
        Assert.Equal(5, pattern.MatchEnd("xa.𠮷", 1));
        Assert.Equal(-1, pattern.MatchEnd("xab𠮷", 1));
        Assert.Equal(-1, pattern.MatchEnd("a.", 0));
    }

    /// <summary>Random patterns from the supported grammar, so that repetition, alternatives and groups meet in all ways.</summary>
    [Fact]
    public void Pattern_BuiltAtRandom_MatchesAsTheFrameworkDoes()
    {
        var set = Gen.OneOf("a", "[bc]", "[^b]", @"\s", @"\p{L}", @"\p{Lu}", ".", "1", @"\P{N}");
        var repeated = Gen.Select(set, Gen.OneOf("", "", "?", "*", "+", "{2}", "{1,2}", "{1,}")).Select(pair => pair.Item1 + pair.Item2);
        var simple = repeated.Array[1, 3].Select(string.Concat);
        var group = Gen.Select(set.Array[1, 2].Select(string.Concat), set, Gen.OneOf("(?:{0}|{1})", "({0}|{1}){{1,2}}", "({0}{1})?", "(?={0}|{1})", "(?!{0})", "(?i:{0}|{1})*"))
            .Select(parts => string.Format(parts.Item3, parts.Item1, parts.Item2));
        var pattern = Gen.OneOf(simple, group).Array[1, 3].Select(string.Concat).Array[1, 3].Select(alternatives => string.Join('|', alternatives));
        var text = Gen.OneOf("a", "b", "c", "A", "B", "1", " ", "\n", "é", "𝔸", "😀").Array[0, 12].Select(string.Concat);
        Gen.Select(pattern, text.Array[8]).Sample((source, texts) =>
        {
            var regex = new Regex(source);
            var splitter = new PatternSplitter(RunePattern.Parse(source));
            foreach (var sample in texts) Assert.Equal(RegexOracle.Split(sample, regex), TextSplitterTests.Pieces(splitter, sample));
        }, iter: 3_000);
    }
}

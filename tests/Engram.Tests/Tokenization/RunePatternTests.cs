using System.Text.RegularExpressions;
using CsCheck;
using Engram.Tokenization;
using Engram.Tokenization.Patterns;

namespace Engram.Tests.Tokenization;

public sealed class RunePatternTests
{
    /// <summary>Patterns of widely used vocabularies, and one for every construct they leave out.</summary>
    [Theory]
    [InlineData(@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")]
    [InlineData(
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )]
    [InlineData(@"a(?=\s)|(b|c|[d-z])+|\P{L}{2}")]
    [InlineData(@"\d{2,}|.\S|\D")]
    [InlineData(@"(re|ll|s){2}|[\-\]\\^]|[^a-]")]
    public void Pattern_MatchesAsTheFrameworkDoes(string pattern)
    {
        var regex = new Regex(pattern);
        var splitter = new PatternSplitter(RunePattern.Parse(pattern), SplitBehavior.Isolated);
        TextGen.Adversarial.Sample(
            text => Assert.Equal(RegexOracle.Split(text, regex), TextSplitterTests.Pieces(splitter, text)),
            iter: 5_000
        );
    }

    /// <summary>Refused rather than guessed, though Oniguruma knows most of it.</summary>
    [Theory]
    [InlineData("(a*)*", "endless repetition")]
    [InlineData("(a|)+", "endless repetition")]
    [InlineData("(?=a)*", "repetition of a condition")]
    [InlineData("^*", "repetition of a condition")]
    [InlineData("(?<=a+)b", "looks back more than 255")]
    [InlineData("(?<n", "name of a group")]
    [InlineData("(?x: a)", "kind of group")]
    [InlineData("(?~a)", "kind of group")]
    [InlineData(@"(a)\1", "\\1")]
    [InlineData(@"\X", "\\X")]
    [InlineData(@"a\Kb", "\\K")]
    [InlineData(@"\xE4", "single byte")]
    [InlineData(@"\x{110000}", "no character")]
    [InlineData(@"\u12", "no character")]
    [InlineData(@"\p{Klingon}", "the property \"Klingon\"")]
    [InlineData(@"\p{L", "property")]
    [InlineData(@"\pL", "property without braces")]
    [InlineData(@"\p{#Lone_Word}", "property")]
    [InlineData("[[:vowel:]]", "[:vowel:]")]
    [InlineData("[]", "empty class")]
    [InlineData("[^]", "empty class")]
    [InlineData("[z-a]", "this range")]
    [InlineData(@"[a-\d]", "this range")]
    [InlineData("[a", "class without an end")]
    [InlineData("(a", "group without an end")]
    [InlineData("a)", "unmatched")]
    [InlineData("*", "nothing before it")]
    [InlineData("a|+", "nothing before it")]
    [InlineData("a{2,1}", "limits are exchanged")]
    [InlineData("a{99999}", "number this large")]
    [InlineData("(abcdefghij){9999}", "more than 10000 steps")]
    [InlineData("\\", "trailing backslash")]
    public void Pattern_OutsideTheSupportedSyntax_IsRefused(string pattern, string reason)
    {
        var error = Assert.Throws<FormatException>(() => RunePattern.Parse(pattern));
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void Pattern_WithManyLettersThatMayBeOne_IsRefused() =>
        Assert.Throws<FormatException>(() => RunePattern.Parse($"(?i:{new string('s', 100)})"));

    [Fact]
    public void Pattern_WithHalfASurrogatePair_IsRefused() => Assert.Throws<FormatException>(() => RunePattern.Parse("a\uD800"));

    [Fact]
    public void Pattern_NestedVeryDeeply_IsRefused() =>
        Assert.Throws<FormatException>(() => RunePattern.Parse(new string('(', 5000) + "a" + new string(')', 4999)));

    [Fact]
    public void Pattern_OfLiteralText_MatchesOnlyThatText()
    {
        var pattern = RunePattern.Literal("a.𠮷");
        Assert.True(pattern.Find("xa.𠮷", 0, null, out var start, out var end));
        Assert.Equal((1, 5), (start, end));
        Assert.False(pattern.Find("xab𠮷", 0, null, out _, out _));
        Assert.False(pattern.Find("a.", 0, null, out _, out _));
    }

    /// <summary>Random patterns from the supported grammar, so that repetition, alternatives and groups meet in all ways.</summary>
    [Fact]
    public void Pattern_BuiltAtRandom_MatchesAsTheFrameworkDoes()
    {
        var set = Gen.OneOf("a", "[bc]", "[^b]", @"\s", @"\p{L}", @"\p{Lu}", ".", "1", @"\P{N}");
        var repeated = Gen.Select(set, Gen.OneOf("", "", "?", "*", "+", "{2}", "{1,2}", "{1,}")).Select(pair => pair.Item1 + pair.Item2);
        var simple = repeated.Array[1, 3].Select(string.Concat);
        var group = Gen.Select(
                set.Array[1, 2].Select(string.Concat),
                set,
                Gen.OneOf("(?:{0}|{1})", "({0}|{1}){{1,2}}", "({0}{1})?", "(?={0}|{1})", "(?!{0})")
            )
            .Select(parts => string.Format(parts.Item3, parts.Item1, parts.Item2));
        // Properties are left out: the framework folds their case, Oniguruma does not.
        var letter = Gen.OneOf("a", "[bc]", "[^b]", "1", "B");
        var folded = Gen.Select(letter.Array[1, 2].Select(string.Concat), letter).Select(parts => $"(?i:{parts.Item1}|{parts.Item2})*");
        var pattern = Gen.OneOf(simple, group, folded)
            .Array[1, 3]
            .Select(string.Concat)
            .Array[1, 3]
            .Select(alternatives => string.Join('|', alternatives));
        var text = Gen.OneOf("a", "b", "c", "A", "B", "1", " ", "\n", "é", "𝔸", "😀").Array[0, 12].Select(string.Concat);
        Gen.Select(pattern, text.Array[8])
            .Sample(
                (source, texts) =>
                {
                    var regex = new Regex(source);
                    var splitter = new PatternSplitter(RunePattern.Parse(source), SplitBehavior.Isolated);
                    foreach (var sample in texts)
                        Assert.Equal(RegexOracle.Split(sample, regex), TextSplitterTests.Pieces(splitter, sample));
                },
                iter: 3_000
            );
    }

    /// <summary>
    /// Texts long enough to be remembered are matched as short ones are: the same text is given piece by piece around a place that no match
    /// crosses.
    /// </summary>
    [Fact]
    public void Pattern_OnALongText_MatchesAsOnShortOnes()
    {
        string[] patterns =
        [
            @"\s+$",
            @"\s+(?!\S)|\s+",
            @"(?:a|aa)+b",
            @"(?:a+b?)+c|.",
            @"[a-c]+?c",
            @"(?>a+)b|a",
            @"\s*x|\s",
            @"(?<!a)a+b",
        ];
        var unit = Gen.OneOf("a", "aa", "b", "c", " ", "  ", "x").Array[0, 10].Select(string.Concat);
        Gen.Select(Gen.OneOf(patterns), unit)
            .Sample(
                (source, text) =>
                {
                    var pattern = RunePattern.Parse(source);
                    var many = string.Concat(Enumerable.Repeat(text + "\u0001", 40)) + new string('\u0001', PatternMemory.ShortestText);
                    var expected = Matches(pattern, text + "\u0001");
                    var actual = Matches(pattern, many).Where(match => match.End <= (text.Length + 1) * 40);
                    Assert.Equal(
                        Enumerable
                            .Range(0, 40)
                            .SelectMany(copy =>
                                expected.Select(match => (match.Start + (copy * (text.Length + 1)), match.End + (copy * (text.Length + 1))))
                            ),
                        actual
                    );
                },
                iter: 2_000
            );
    }

    private static List<(int Start, int End)> Matches(RunePattern pattern, string text)
    {
        var found = new List<(int, int)>();
        for (var matches = default(PatternMatches); matches.Next(pattern, text, out var start, out var end); )
            found.Add((start, end));
        return found;
    }
}

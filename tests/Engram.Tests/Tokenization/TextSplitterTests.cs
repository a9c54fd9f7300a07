using System.Text.RegularExpressions;
using CsCheck;
using Engram.Tokenization;
using Engram.Tokenization.Patterns;

namespace Engram.Tests.Tokenization;

/// <summary>Hand-written scanners against regular expressions.</summary>
public sealed class TextSplitterTests
{
    private const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    [Fact]
    public void DigitChunks_EqualTheirPattern() => AssertEqualsPattern(new DigitChunks(), DigitChunks.Pattern);

    [Fact]
    public void HanKanaRuns_EqualTheirPattern() => AssertEqualsPattern(new HanKanaRuns(), HanKanaRuns.Pattern);

    [Fact]
    public void DeepSeekWords_EqualTheirPattern() => AssertEqualsPattern(new DeepSeekWords(), DeepSeekWords.Pattern);

    [Fact]
    public void Gpt2Words_EqualTheirPattern() => AssertEqualsPattern(new Gpt2Words(), Gpt2Pattern);

    /// <summary>Digits go by a newer Unicode version than patterns, so any scalar is not compared.</summary>
    [Theory]
    [InlineData(true, @"\p{N}")]
    [InlineData(false, @"\p{N}+")]
    public void DigitSplitter_EqualsItsPattern(bool individual, string pattern) =>
        AssertEqualsPattern(new DigitSplitter(individual), pattern, TextGen.Adversarial);

    [Fact]
    public void DeepSeekStages_InARow_EqualTheirPatternsInARow()
    {
        var stages = PreTokenizer.FromJson(new TokenizerComponent(PreTokenizer.DeepSeekJson, "test", "pre_tokenizer"));
        Regex[] patterns = [new(DigitChunks.Pattern), new(HanKanaRuns.Pattern), new(DeepSeekWords.Pattern)];
        TextGen.Adversarial.Sample(
            text =>
            {
                var sink = new PieceList([]);
                stages.Split(text, ref sink);
                Assert.Equal(RegexOracle.Split(text, patterns), sink.Pieces);
            },
            iter: 10_000
        );
    }

    /// <summary>The strings themselves are what a published file holds, so a scanner is bound only to the very same pattern.</summary>
    [Fact]
    public void Patterns_AreThoseOfTheDeepSeekFile()
    {
        var tokenizer = TestData.DeepSeekV3();
        var trained = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 256 }).Train(["x"]);
        const string text = "In 2024, don't 𠮷野家・カタカナ\r\n\r\n  x=1.5e3 \u200D";
        Assert.Equal(tokenizer.Pieces(text).Select(piece => piece.Text), trained.Pieces(text).Select(piece => piece.Text));
        var saved = System.Text.Encoding.UTF8.GetString(tokenizer.ToJson());
        foreach (var pattern in new[] { DigitChunks.Pattern, HanKanaRuns.Pattern, DeepSeekWords.Pattern })
            Assert.Contains($"\"Regex\": \"{System.Text.Json.JsonEncodedText.Encode(pattern, MinimalJsonEncoder.Instance)}\"", saved);
    }

    private static void AssertEqualsPattern(TextSplitter scanner, string pattern, Gen<string>? texts = null)
    {
        var regex = new Regex(pattern);
        var runePattern = new PatternSplitter(RunePattern.Parse(pattern), SplitBehavior.Isolated);
        (texts ?? Gen.OneOf(TextGen.Adversarial, TextGen.Runes)).Sample(
            text =>
            {
                var expected = RegexOracle.Split(text, regex);
                Assert.Equal(expected, Pieces(scanner, text));
                Assert.Equal(expected, Pieces(runePattern, text));
            },
            iter: 10_000
        );
    }

    internal static List<string> Pieces(TextSplitter splitter, string text)
    {
        var pieces = new List<string>();
        if (text.Length == 0)
            return pieces;
        for (var cut = default(Cut); splitter.Next(text, ref cut); )
        {
            Assert.InRange(cut.End, cut.Start + 1, text.Length);
            pieces.Add(text[cut.Start..cut.End]);
        }
        return pieces;
    }

    private readonly struct PieceList(List<string> pieces) : IPieceSink
    {
        public List<string> Pieces => pieces;

        public void Add(ReadOnlySpan<char> piece) => pieces.Add(piece.ToString());
    }
}

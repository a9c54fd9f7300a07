using System.Text;
using Engram.Tokenization;
using Engram.Tokenization.Patterns;

namespace Engram.Tests.Tokenization;

/// <summary>Hostile texts of a million characters: a search that went over them again and again would not end within hours.</summary>
public sealed class LinearTimeTests
{
    private const int Length = 1_000_000;

    [Theory]
    [InlineData(@"\s+$", " ", "x", 1)]
    [InlineData(@"\s+$|\s", " ", "x", Length + 1)]
    [InlineData(@"\s*[\r\n]+|\s+(?!\S)|\s+", " ", "x", 3)]
    [InlineData(@"(?:a|aa)+b", "a", "", 1)]
    [InlineData(@"(?:a|aa)+b|a", "a", "", Length)]
    [InlineData(@"(?:a+)+b", "a", "", 1)]
    [InlineData(@"(?:a+b?)+c|.", "a", "", Length)]
    [InlineData(@"a+?b", "a", "", 1)]
    [InlineData(@"(?>a+)b|a", "a", "", Length)]
    [InlineData(@"\p{L}{1,3}(?=x)|\p{L}", "a", "", Length)]
    [InlineData(@"(?<=b)a+", "a", "", 1)]
    [InlineData(@"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s)?|.", "A", "", Length)]
    public void APattern_TakesTimeInProportionToTheText(string pattern, string unit, string end, int pieces)
    {
        var splitter = new PatternSplitter(RunePattern.Parse(pattern), SplitBehavior.Isolated);
        Assert.Equal(pieces, TextSplitterTests.Pieces(splitter, string.Concat(Enumerable.Repeat(unit, Length)) + end).Count);
    }

    /// <summary>One piece of half a million random letters, and a million equal characters, through all of encoding.</summary>
    [Fact]
    public void AnEncodedPiece_TakesTimeInProportionToItsLength()
    {
        var tokenizer = new TinyTokenizer()
            .Merge("a", "a")
            .Merge("aa", "aa")
            .Merge("aaaa", "aaaa")
            .Merge("a", "b")
            .Merge("b", "c")
            .Merge("aa", "b")
            .Build();
        Assert.Equal(Length / 8, tokenizer.Encode(new string('a', Length)).Length);
        var random = new Random(1);
        var letters = new StringBuilder();
        while (letters.Length < Length / 2)
            letters.Append("abc"[random.Next(3)]);
        var ids = tokenizer.Encode(letters.ToString());
        Assert.Equal(letters.ToString(), tokenizer.Decode(ids));
    }
}

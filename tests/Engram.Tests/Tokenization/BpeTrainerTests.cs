using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

public sealed class BpeTrainerTests
{
    private static PieceCounts LowNewestWidest()
    {
        var counts = new PieceCounts();
        counts.Add("low", 5);
        counts.Add("lower", 2);
        counts.Add("newest", 6);
        counts.Add("widest", 3);
        return counts;
    }

    /// <summary>Counts e+s 9, es+t 9, l+o 7, lo+w 7, e+w 6, n+ew 6, new+est 6, d+est 3, i+dest 3, w+idest 3, e+r 2, low+er 2.</summary>
    [Fact]
    public void Train_OnCountedWords_MergesInTheHandComputedOrder()
    {
        var tokenizer = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 30_000 }).Train(LowNewestWidest());
        Assert.Equal(268, tokenizer.VocabularySize);
        Assert.Equal((0, 67, 68, 75, 220), (tokenizer.TokenToId("!"), tokenizer.TokenToId("d"), tokenizer.TokenToId("e"), tokenizer.TokenToId("l"), tokenizer.TokenToId("Ġ")));
        string[] merged = ["es", "est", "lo", "low", "ew", "new", "newest", "dest", "idest", "widest", "er", "lower"];
        Assert.Equal(merged, Enumerable.Range(256, 12).Select(tokenizer.IdToToken));
        Assert.Equal([262], tokenizer.Encode("newest"));
    }

    [Fact]
    public void Train_GivesTheFirstIdsToSpecialTokens()
    {
        var tokenizer = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 300, SpecialTokens = ["<|endoftext|>", "<|pad|>"] })
            .Train(["the cat sat on the mat, the cat sat"]);
        Assert.Equal((0, 1), (tokenizer.TokenToId("<|endoftext|>"), tokenizer.TokenToId("<|pad|>")));
        Assert.True(tokenizer.IsSpecial(0) && tokenizer.IsSpecial(1) && !tokenizer.IsSpecial(2));
        var ids = tokenizer.Encode("the cat<|endoftext|>");
        Assert.Equal(0, ids[^1]);
        Assert.Equal("the cat", tokenizer.Decode(ids, skipSpecialTokens: true));
    }
}

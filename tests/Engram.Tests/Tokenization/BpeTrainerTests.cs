using System.Text;
using CsCheck;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

public sealed class BpeTrainerTests
{
    private static PieceCounts Counts(params (string Piece, long Count)[] pieces)
    {
        var counts = new PieceCounts();
        foreach (var (piece, count) in pieces)
            counts.Add(piece, count);
        return counts;
    }

    private static BpeTrainer Trainer(int vocabularySize, long minFrequency = 0, int? maxTokenLength = null) =>
        new(
            new BpeTrainerOptions
            {
                VocabularySize = vocabularySize,
                MinFrequency = minFrequency,
                MaxTokenLength = maxTokenLength,
            }
        );

    /// <summary>Counts e+s 9, es+t 9, l+o 7, lo+w 7, e+w 6, n+ew 6, new+est 6, d+est 3, i+dest 3, w+idest 3, e+r 2, low+er 2.</summary>
    [Fact]
    public void CountedWords_MergeInTheHandComputedOrder()
    {
        var tokenizer = Trainer(30_000).Train(Counts(("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)));
        Assert.Equal(268, tokenizer.VocabularySize);
        Assert.Equal(
            (0, 67, 68, 75, 220),
            (
                tokenizer.TokenToId("!"),
                tokenizer.TokenToId("d"),
                tokenizer.TokenToId("e"),
                tokenizer.TokenToId("l"),
                tokenizer.TokenToId("Ġ")
            )
        );
        string[] merged = ["es", "est", "lo", "low", "ew", "new", "newest", "dest", "idest", "widest", "er", "lower"];
        Assert.Equal(merged, Enumerable.Range(256, 12).Select(tokenizer.IdToToken));
        Assert.Equal([262], tokenizer.Encode("newest"));
    }

    [Fact]
    public void MinFrequency_StopsBeforeRarerPairs() =>
        Assert.Equal(
            256 + 7,
            Trainer(30_000, minFrequency: 6).Train(Counts(("low", 5), ("lower", 2), ("newest", 6), ("widest", 3))).VocabularySize
        );

    [Fact]
    public void VocabularySize_StopsTraining() =>
        Assert.Equal(259, Trainer(259).Train(Counts(("low", 5), ("lower", 2), ("newest", 6), ("widest", 3))).VocabularySize);

    [Fact]
    public void MaxTokenLength_CountsBytes()
    {
        var tokenizer = Trainer(30_000, maxTokenLength: 3).Train(Counts(("newest", 6), ("widest", 3), ("漢漢", 2)));
        Assert.Equal(3, Enumerable.Range(0, tokenizer.VocabularySize).Max(id => tokenizer.TokenBytes(id).Length));
        Assert.Single(tokenizer.Encode("漢"));
        Assert.Equal(2, tokenizer.Encode("漢漢").Length);
    }

    [Fact]
    public void Training_EqualsTheObviousLoop()
    {
        var pieces = Gen.Select(Gen.OneOf('a', 'b', 'c').Array[1, 9].Select(units => new string(units)), Gen.Long[1, 6]).Array[1, 8];
        Gen.Select(pieces, Gen.Int[256, 290], Gen.Long[0, 4], Gen.Int[2, 9])
            .Sample(
                (words, size, minFrequency, longest) =>
                {
                    var trained = Trainer(size, minFrequency, longest).Train(Counts(words));
                    Assert.Equal(
                        TrainSlowly(words, size, minFrequency, longest),
                        Enumerable.Range(256, trained.VocabularySize - 256).Select(id => trained.IdToToken(id)!)
                    );
                },
                iter: 2_000
            );
    }

    [Fact]
    public void TrainedTokenizer_SegmentsItsCorpusAsTrainingDid()
    {
        var random = new Random(11);
        var corpus = Enumerable
            .Range(0, 300)
            .Select(_ =>
                string.Join(' ', Enumerable.Range(0, 30).Select(_ => Words[(int)(Words.Length * Math.Pow(random.NextDouble(), 2))]))
            )
            .ToArray();
        var tokenizer = Trainer(1000).Train(corpus);
        var slow = TrainSlowly(
            [.. corpus.SelectMany(text => tokenizer.Pieces(text).Select(piece => (piece.Text, 1L)))],
            1000,
            0,
            int.MaxValue,
            out var segmentation
        );
        Assert.Equal(slow, Enumerable.Range(256, tokenizer.VocabularySize - 256).Select(id => tokenizer.IdToToken(id)!));
        foreach (var (piece, ids) in segmentation)
            Assert.Equal(ids, tokenizer.Encode(piece));
    }

    [Fact]
    public void Training_IgnoresTheOrderOfTexts()
    {
        var texts = Words.Select((word, i) => string.Concat(Enumerable.Repeat(word + " ", 1 + (i % 5)))).ToArray();
        var expected = Trainer(600).Train(texts).Fingerprint;
        Assert.Equal(expected, Trainer(600).Train(texts).Fingerprint);
        Assert.Equal(expected, Trainer(600).Train(texts.Reverse()).Fingerprint);
        Assert.NotEqual(expected, Trainer(600).Train(texts.Skip(1)).Fingerprint);
    }

    /// <summary>Pins the whole result: a change of the trainer, the pre-tokenizer or the file format shows here.</summary>
    [Fact]
    public void Training_OnAFixedText_GivesAFixedFile()
    {
        var tokenizer = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 280, SpecialTokens = ["<|endoftext|>", "<|pad|>"] }).Train([
            "she sells sea shells by the sea shore",
            "the shells she sells are sea shells, I'm sure",
        ]);
        Assert.Equal(
            [
                "Ġs",
                "he",
                "ll",
                "Ġse",
                "lls",
                "Ġshe",
                "re",
                "Ġsea",
                "Ġshells",
                "the",
                "Ġsells",
                "'m",
                "are",
                "by",
                "ho",
                "she",
                "ure",
                "ĠI",
                "Ġthe",
                "Ġare",
                "Ġby",
                "Ġsho",
            ],
            Enumerable.Range(258, 22).Select(tokenizer.IdToToken)
        );
    }

    [Fact]
    public void SpecialTokens_GetTheFirstIds()
    {
        var tokenizer = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 300, SpecialTokens = ["<|endoftext|>", "<|pad|>"] }).Train([
            "the cat sat on the mat, the cat sat",
        ]);
        Assert.Equal((0, 1), (tokenizer.TokenToId("<|endoftext|>"), tokenizer.TokenToId("<|pad|>")));
        Assert.True(tokenizer.IsSpecial(0) && tokenizer.IsSpecial(1) && !tokenizer.IsSpecial(2));
        var ids = tokenizer.Encode("the cat<|endoftext|>");
        Assert.Equal(0, ids[^1]);
        Assert.Equal("the cat", tokenizer.Decode(ids, skipSpecialTokens: true));
    }

    [Fact]
    public void TrainedTokenizer_SavedAndLoaded_IsTheSame()
    {
        var tokenizer = Trainer(400).Train(Words);
        var loaded = Tokenizer.Parse(tokenizer.ToJson(), "trained");
        Assert.Equal(tokenizer.Fingerprint, loaded.Fingerprint);
        foreach (var word in Words)
            Assert.Equal(tokenizer.Encode(word), loaded.Encode(word));
    }

    [Fact]
    public void LoneSurrogates_AreLearnedAsTheReplacementCharacter() =>
        Assert.Equal("\uFFFD", Trainer(300).Train(["\uD800\uD800 \uDFFF"]).Decode([257]));

    [Fact]
    public void Progress_ReportsReadingAndMerging()
    {
        var reports = new List<BpeTrainingProgress>();
        Trainer(1000).Train(Enumerable.Repeat(string.Join(' ', Words), 20_000), new Collector(reports));
        Assert.True(reports.Count > 3);
        Assert.Equal(0, reports[0].VocabularySize);
        Assert.True(reports[^1].VocabularySize > 256);
        Assert.Equal(20_000L * string.Join(' ', Words).Length, reports[^1].CharactersRead);
    }

    [Fact]
    public void BadOptions_AreNamed()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Trainer(255));
        Assert.Throws<ArgumentOutOfRangeException>(() => Trainer(300, minFrequency: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Trainer(300, maxTokenLength: 0));
        foreach (var special in new string[][] { [""], ["a"], ["Ġ"], ["éé"], ["x1", "x1"] })
            Assert.Equal(
                "SpecialTokens",
                Assert.Throws<ArgumentException>(() => new BpeTrainer(new BpeTrainerOptions { SpecialTokens = special })).ParamName
            );
        Assert.Contains("nothing to learn", Assert.Throws<ArgumentException>(() => Trainer(300).Train(["", ""])).Message);
        Assert.Throws<ArgumentException>(() => Trainer(300).Train(Array.Empty<string>()));
    }

    private static readonly string[] Words =
        "the of and to in a is that for it as was with be by on not he I this are or his from at which but have an had they you were their one all we can her has there been if more when will would who so no".Split(
            ' '
        );

    private sealed class Collector(List<BpeTrainingProgress> reports) : IProgress<BpeTrainingProgress>
    {
        public void Report(BpeTrainingProgress value) => reports.Add(value);
    }

    private static List<string> TrainSlowly((string Piece, long Count)[] pieces, int vocabularySize, long minFrequency, int longest) =>
        TrainSlowly(pieces, vocabularySize, minFrequency, longest, out _);

    /// <summary>The rules read literally: count everything anew for each merge.</summary>
    /// <returns>The strings of the ids from 256 on.</returns>
    private static List<string> TrainSlowly(
        (string Piece, long Count)[] pieces,
        int vocabularySize,
        long minFrequency,
        int longest,
        out Dictionary<string, List<int>> segmentation
    )
    {
        var strings = Enumerable
            .Range(0, 256)
            .Select(value => ByteLevelAlphabet.Symbol((byte)value))
            .Order()
            .Select(symbol => symbol.ToString())
            .ToList();
        var counts = pieces.GroupBy(piece => piece.Piece).ToDictionary(group => group.Key, group => group.Sum(piece => piece.Count));
        segmentation = counts.Keys.ToDictionary(
            piece => piece,
            piece => Encoding.UTF8.GetBytes(piece).Select(value => strings.IndexOf(ByteLevelAlphabet.Symbol(value).ToString())).ToList()
        );
        while (strings.Count < vocabularySize)
        {
            var pairs = new Dictionary<(int Left, int Right), long>();
            foreach (var (piece, ids) in segmentation)
                for (var i = 0; i + 1 < ids.Count; i++)
                    if (strings[ids[i]].Length + strings[ids[i + 1]].Length <= longest)
                        pairs[(ids[i], ids[i + 1])] = pairs.GetValueOrDefault((ids[i], ids[i + 1])) + counts[piece];
            if (pairs.Count == 0)
                break;
            var ((left, right), count) = pairs.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).First();
            if (count < Math.Max(1, minFrequency))
                break;
            var merged = strings.IndexOf(strings[left] + strings[right]);
            if (merged < 0)
            {
                merged = strings.Count;
                strings.Add(strings[left] + strings[right]);
            }
            foreach (var ids in segmentation.Values)
                for (var i = 0; i + 1 < ids.Count; i++)
                    if (ids[i] == left && ids[i + 1] == right)
                    {
                        ids[i] = merged;
                        ids.RemoveAt(i + 1);
                    }
        }
        return strings[256..];
    }
}

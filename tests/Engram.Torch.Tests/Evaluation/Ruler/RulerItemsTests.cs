using System.Text.RegularExpressions;
using Engram.Evaluation.Metrics;
using Engram.Evaluation.Ruler;
using Engram.Tests.Tokenization;
using Engram.Tokenization;

namespace Engram.Torch.Tests.Evaluation.Ruler;

public sealed class RulerItemsTests
{
    private static readonly RulerMaterial Own = new();
    private static readonly Lazy<Tokenizer> Trained = new(Train);

    public static TheoryData<string> Tasks => [.. RulerTask.All.Select(task => task.Name)];

    [Fact]
    public void Tasks_AreThePublishedThirteenInEightCategories()
    {
        Assert.Equal(13, RulerTask.All.Count);
        Assert.Equal(["S", "MK", "MV", "MQ", "VT", "CWE", "FWE", "QA"], RulerTask.All.Select(task => task.Category).Distinct());
        Assert.Throws<ArgumentException>(() => RulerTask.Named(["niah"]));
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void At4k_ItemsFitWithinOneUnit_AndAreAnsweredFromTheirText(string name) => AssertItems(name, 4096, samples: 3);

    [Theory]
    [MemberData(nameof(Tasks))]
    public void At32k_ItemsFitWithinOneUnit_AndAreAnsweredFromTheirText(string name) => AssertItems(name, 32_768, samples: 1);

    [Theory]
    [InlineData("niah_multikey_1")]
    [InlineData("vt")]
    [InlineData("cwe")]
    [InlineData("qa_2")]
    public void SameSeed_GivesTheSameItems(string name)
    {
        var task = RulerTask.Named([name])[0];
        var first = Items(4096, 1).Make(task, 2).ToArray();
        var again = Items(4096, 1).Make(task, 2).ToArray();
        Assert.Equal(first.Select(item => (item.Context, item.Units)), again.Select(item => (item.Context, item.Units)));
        Assert.NotEqual(first[0].Draft.References, first[1].Draft.References);
        Assert.NotEqual(first[0].Context, Items(4096, 2).Make(task, 1).Single().Context);
    }

    [Fact]
    public void Needles_StandAtTheDepthsThatAreReported()
    {
        foreach (var item in Items(8192, 3).Make(RulerTask.Named(["niah_multivalue"])[0], 3))
        {
            Assert.All(item.Draft.Depths, depth => Assert.Contains(depth, Enumerable.Range(0, 40).Select(i => Math.Round(100.0 * i / 39))));
            // Where each needle stands among the sentences of the essay.
            var text = item.Context[(item.Context.IndexOf('\n', StringComparison.Ordinal) + 1)..item.Context.LastIndexOf('\n')];
            var needles = Regex.Matches(text, @"One of the special magic numbers for [\w-]+ is: (\d+)\.");
            Assert.Equal(item.Draft.References.Order(), needles.Select(needle => needle.Groups[1].Value).Order());
            var before = needles.Select((needle, i) => text[..needle.Index].Count(letter => letter == '.') - i);
            Assert.Equal(item.Draft.Depths.Select(depth => Math.Round(depth / 100 * item.Units)), before.Select(count => (double)count));
        }
    }

    [Fact]
    public void Uuids_AreOfVersionFour() =>
        Assert.All(
            Items(4096, 1).Make(RulerTask.Named(["niah_multikey_3"])[0], 3),
            item =>
                Assert.Matches(
                    "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
                    Assert.Single(item.Draft.References)
                )
        );

    [Fact]
    public void CommonWords_HaveEasierSettingsWhereThePublishedOnesDoNotFit()
    {
        var task = RulerTask.Named(["cwe"])[0];
        AssertAnswered(Assert.Single(Items(2048, 1).Make(task, 1)));
        var error = Assert.Throws<ArgumentException>(() => Items(300, 1).Make(task, 1).ToArray());
        Assert.Contains("greater length", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Material_IsGivenOrOwn_ByPart()
    {
        if (TestData.Find("benchmarks/ruler") is not { } folder)
        {
            Assert.Skip("benchmarks/ruler is absent: set ENGRAM_TEST_DATA to the folder that holds it.");
            return;
        }

        var material = new RulerMaterial(folder);
        string Parts(RulerMaterial material, string task)
        {
            var (given, own) = material.Of(RulerTask.Named([task])[0]);
            return $"{string.Join('+', given)}|{string.Join('+', own)}";
        }

        // The word lists suffice for keys, not for lists; there are no essays.
        Assert.Equal(
            [
                "words|",
                "words|essays",
                "words|essays",
                "words|essays",
                "words|",
                "|",
                "words|essays",
                "words|essays",
                "|",
                "|words",
                "|",
                "questions|",
                "questions|",
            ],
            RulerTask.All.Select(task => Parts(material, task.Name))
        );
        Assert.Equal(
            ["|words", "|words+essays", "|", "|words", "|", "|questions"],
            new[] { "niah_single_1", "niah_single_2", "vt", "cwe", "niah_multikey_3", "qa_2" }.Select(task => Parts(Own, task))
        );

        var questions = material.Questions(RulerTask.Named(["qa_1"])[0]);
        Assert.Equal(501 + 5, questions.Questions.Count);
        Assert.All(
            questions.Questions.Take(501),
            question =>
                Assert.Contains(
                    question.Answers,
                    answer => question.Documents.Any(document => questions.Documents[document].Contains(answer, StringComparison.Ordinal))
                )
        );
        foreach (var name in new[] { "qa_1", "qa_2" })
        foreach (var item in new RulerItems(Trained.Value, material, 16_384, 1).Make(RulerTask.Named([name])[0], 2))
            AssertFits(item, new RulerItems(Trained.Value, material, 16_384, 1), 16_384);
    }

    [Fact]
    public void Scores_AreSharesOfReferences_CaseIgnored()
    {
        Assert.Equal(0, RulerMatch.Score("", ["1", "2"], RulerMetric.All));
        Assert.Equal(0.5, RulerMatch.Score("it is ABC", ["abc", "def"], RulerMetric.All));
        Assert.Equal(1, RulerMatch.Score("abcdef", ["ABC", "def"], RulerMetric.All));
        Assert.Equal(1, RulerMatch.Score("the Def.", ["abc", "def"], RulerMetric.Any));
        Assert.Equal(0, RulerMatch.Score("neither", ["abc", "def"], RulerMetric.Any));
        Assert.Equal(66.67, RulerScore.OfTask([1, 1, 0]));
    }

    [Fact]
    public void Categories_AreMeansOfTheirTasks()
    {
        var scores = RulerScore.ByCategory(RulerTask.All.Select((task, i) => (task, (double)i)));
        Assert.Equal([("S", 1.0), ("MK", 4.0), ("MV", 6.0), ("MQ", 7.0), ("VT", 8.0), ("CWE", 9.0), ("FWE", 10.0), ("QA", 11.5)], scores);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(500)]
    public void LengthFit_FindsTheLargestThatFits(int guess)
    {
        for (var limit = 0; limit < 200; limit += 7)
            Assert.Equal(limit < 20 ? -1 : (limit - 20) / 3, LengthFit.Find(units => 20 + 3 * units, limit, guess).Units);
        Assert.Equal((5, 35), LengthFit.Find(units => 20 + 3 * units, 1000, guess, most: 5));
    }

    private static void AssertItems(string name, int length, int samples)
    {
        var items = Items(length, 11);
        var made = items.Make(RulerTask.Named([name])[0], samples).ToArray();
        Assert.Equal(samples, made.Length);
        foreach (var item in made)
        {
            AssertFits(item, items, length);
            AssertAnswered(item);
        }
    }

    private static void AssertFits(RulerItem item, RulerItems items, int length)
    {
        // What the model reads and may write, with the token that stands before every text.
        Assert.Equal(item.Tokens, 1 + Trained.Value.Encode(item.Context).Length);
        Assert.InRange(item.Tokens + item.Task.NewTokens, 1, length);
        var longer = items.Draw(item.Task, item.Index, WordListText.Setting.Published).Build(item.Units + 1);
        Assert.True(items.Tokens(longer) + item.Task.NewTokens > length);
    }

    private static void AssertAnswered(RulerItem item)
    {
        Assert.Equal(1, RulerMatch.Score(SearchingReader.Answer(item.Task.Name, item.Context), item.Draft.References, item.Task.Metric));
        Assert.Equal(0, RulerMatch.Score("", item.Draft.References, item.Task.Metric));
    }

    private static RulerItems Items(int length, long seed) => new(Trained.Value, Own, length, seed);

    /// <summary>A vocabulary like one that was trained on such text.</summary>
    private static Tokenizer Train()
    {
        var bytes = new BpeTrainer(new BpeTrainerOptions { VocabularySize = 256 }).Train(["a"]);
        var items = new RulerItems(bytes, Own, 30_000, 0);
        return new BpeTrainer(new BpeTrainerOptions { VocabularySize = 4096 }).Train(
            RulerTask.All.SelectMany(task => items.Make(task, 1).Select(item => item.Context))
        );
    }
}

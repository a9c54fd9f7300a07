using CsCheck;
using Engram.Corpora;
using Engram.Corpora.Files;

namespace Engram.Tests.Corpora;

public class NearDuplicatesTests
{
    private static readonly string Long = SampleText.Sentence(new Random(5), 200);

    [Fact]
    public void Documents_AreDroppedByTheFirstTestTheyFail()
    {
        Document[] documents =
        [
            new("a", "Gets the value of entry 12."),
            new("b", "Gets the value of entry 12."),
            new("c", "gets the VALUE of entry, 13"),
            new("d", Long),
            new("e", Long + " One more."),
            new("f", SampleText.Sentence(new Random(6), 200)),
        ];
        var (kept, statistics) = NearDuplicates.Remove(documents);
        Assert.Equal(new DeduplicationStatistics(Read: 6, Exact: 1, Normalised: 1, Near: 1, NearValidation: 0), statistics);
        Assert.Equal(3, kept.Count);
        Assert.Equal(3, statistics.Kept);
    }

    [Fact]
    public void Titles_AreNotCompared()
    {
        Document[] documents = [new("a", "First.Name\nGets the value.", 11), new("b", "Second.Name\nGets the value.", 12)];
        Assert.Single(NearDuplicates.Remove(documents).Kept);
        Assert.Equal(2, NearDuplicates.Remove([.. documents.Select(document => document with { TitleLength = 0 })]).Kept.Count);
    }

    [Fact]
    public void TextsWithoutLetters_StayApart()
    {
        Document[] documents = [new("a", "1 2 3"), new("b", "1 2 4"), new("c", "1 2 3"), new("d", "?"), new("e", "!")];
        var (kept, statistics) = NearDuplicates.Remove(documents);
        Assert.Equal(["!", "1 2 3", "1 2 4", "?"], kept.Select(document => document.Text).Order(StringComparer.Ordinal));
        Assert.Equal(1, statistics.Exact);
    }

    [Fact]
    public void NothingToCompare_IsNoError()
    {
        Assert.Empty(NearDuplicates.Remove([]).Kept);
        Assert.Single(NearDuplicates.Remove([new("a", "one")]).Kept);
    }

    [Fact]
    public void Outcome_DoesNotDependOnTheOrderOfTheSource()
    {
        // Small vocabulary and short texts: all three tests drop something.
        var text = Gen.Int[0, 2].Array[1, 6].Select(words => string.Join(' ', words.Select(word => "abc"[word])));
        var corpus = text.Array[1, 40].Select(texts => texts.Select((t, i) => new Document($"d{i:D2}", t)).ToArray());
        corpus
            .SelectMany(documents => Gen.Shuffle(documents).Select(shuffled => (documents, shuffled)))
            .Sample(
                (documents, shuffled) =>
                {
                    var one = NearDuplicates.Remove(documents);
                    var other = NearDuplicates.Remove(shuffled);
                    return one.Kept.SequenceEqual(other.Kept) && one.Statistics == other.Statistics;
                },
                iter: 300
            );
    }

    [Fact]
    public void Estimate_IsWithinFourStandardErrorsOfTheJaccardSimilarity()
    {
        var words = SampleText.Sentence(new Random(7), 400).TrimEnd('.').Split(' ');
        for (var removed = 0; removed < 300; removed += 20)
        {
            var (left, right) = (string.Join(' ', words), string.Join(' ', words[removed..]));
            var jaccard = Jaccard(left, right);
            var estimate = MinHash.Matches(Sign(left), Sign(right)) / (double)MinHash.Length;
            Assert.InRange(
                estimate,
                jaccard - 4 * Math.Sqrt(jaccard * (1 - jaccard) / MinHash.Length),
                jaccard + 4 * Math.Sqrt(jaccard * (1 - jaccard) / MinHash.Length)
            );
        }
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("12 34 ?", 0)]
    [InlineData("one", 1)]
    [InlineData("One, two", 1)]
    [InlineData("one two three", 1)]
    [InlineData("one two-three 4 four", 2)]
    public void Shingles_AreThreeConsecutiveWords(string text, int count) => Assert.Equal(count, Shingles(text).Count);

    [Fact]
    public void Shingles_IgnoreCasePunctuationAndDigits_NotOrder()
    {
        Assert.Equal(Shingles("One two, three 4 FOUR"), Shingles("one TWO three. four!"));
        Assert.NotEqual(Shingles("one two three"), Shingles("two one three"));
        Assert.NotEqual(Shingles("ab c d"), Shingles("a bc d"));
    }

    // Exact similarities by an inverted index over shingles. The estimate has a standard error of 0.035 at the threshold and 0.025 at 0.91,
    // so of pairs above 0.9
    // hardly any can be missed, and none at 0.95.
    [Fact]
    public void DotnetDocs_ValidationHasNoNearDuplicateInTraining()
    {
        var documents = CorpusSource.Open(CorpusSource.DotnetDocs, new CorpusOptions { MaxDocuments = 12000 }).Read().ToList();
        var (kept, statistics) = NearDuplicates.Remove(documents);
        Assert.True(statistics is { Exact: > 0, Normalised: > 0, Near: > 0 }, statistics.ToString());
        var (training, validation) = CorpusSplit.Divide(kept, 0.05);

        var owners = new Dictionary<uint, List<int>>();
        var sizes = new int[training.Count];
        for (var i = 0; i < training.Count; i++)
        {
            var set = Shingles(training[i].Body.ToString()).ToHashSet();
            sizes[i] = set.Count;
            foreach (var shingle in set)
                (owners.TryGetValue(shingle, out var list) ? list : owners[shingle] = []).Add(i);
        }
        var similarities = new List<double>();
        foreach (var document in validation)
        {
            var set = Shingles(document.Body.ToString()).ToHashSet();
            var shared = new Dictionary<int, int>();
            foreach (var owner in set.SelectMany(shingle => owners.GetValueOrDefault(shingle, [])))
                shared[owner] = shared.GetValueOrDefault(owner) + 1;
            similarities.AddRange(shared.Select(pair => (double)pair.Value / (set.Count + sizes[pair.Key] - pair.Value)));
        }
        var above = similarities.Where(similarity => similarity >= NearDuplicates.Threshold).ToList();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{statistics}; {validation.Count} validation documents, {above.Count} pairs at {NearDuplicates.Threshold} or more, highest "
                + $"{similarities.Max():f3}"
        );
        Assert.True(similarities.Max() < 0.95, $"a pair at {similarities.Max():f3}");
        Assert.True(above.Count <= validation.Count / 50, $"{above.Count} pairs at the threshold or above");
    }

    private static List<uint> Shingles(string text)
    {
        var shingles = new List<uint>();
        MinHash.Shingles(text, shingles);
        return shingles;
    }

    private static uint[] Sign(string text)
    {
        var signature = new uint[MinHash.Length];
        MinHash.Sign(Shingles(text), signature);
        return signature;
    }

    private static double Jaccard(string left, string right)
    {
        var (x, y) = (Shingles(left).ToHashSet(), Shingles(right).ToHashSet());
        var both = x.Count(y.Contains);
        return (double)both / (x.Count + y.Count - both);
    }
}

using CsCheck;
using Engram.Addressing;
using Engram.Addressing.Statistics;
using Engram.Tests.Storage;

namespace Engram.Tests.Addressing.Statistics;

public sealed class AddressingCensusTests
{
    private static readonly Gen<AddressingSpec> Specs = Gen.Select(
            Gen.Int[2, 40],
            Gen.Long[2, 60].Array[1, 3],
            Gen.Int[1, 3],
            Gen.Long[0, 1000],
            Gen.Int[0, 1]
        )
        .Select(
            (size, slots, heads, seed, pad) =>
                new AddressingSpec
                {
                    CompressedVocabularySize = size,
                    Layers = [0, 3],
                    SlotsPerOrder = [.. slots],
                    HeadsPerOrder = heads,
                    Seed = seed,
                    PadId = pad,
                }
        );

    private static readonly Gen<(AddressingSpec Spec, int[] Ids, bool[] Starts, int Cut)> Corpora = Specs.SelectMany(spec =>
        Gen.Int[1, 300]
            .SelectMany(length =>
                Gen.Select(
                    Gen.Const(spec),
                    Gen.Frequency((19, Gen.Int[0, spec.CompressedVocabularySize - 1]), (1, Gen.Const(-1))).Array[length],
                    Gen.Frequency((9, Gen.Const(false)), (1, Gen.Const(true))).Array[length],
                    Gen.Int[0, length]
                )
            )
    );

    /// <summary>
    /// No budget changes a number: not tables of sixteen slots, which spill dozens of runs, nor rows taken three at a time, nor where the
    /// corpus is cut.
    /// </summary>
    [Fact]
    public void AnyBudget_GivesTheNumbersOfDictionaries()
    {
        Corpora
            .Where(corpus => corpus.Ids.Any(id => id >= 0))
            .Sample(
                corpus =>
                {
                    using var folder = new TemporaryFolder(); // of each sample, since samples run side by side
                    var constants = AddressingConstants.Derive(corpus.Spec);
                    corpus.Starts[0] = true;
                    var expected = BruteForceStatistics.Of(constants, corpus.Ids, corpus.Starts);
                    AssertEqual(expected, Census(16, 3));
                    AssertEqual(expected, Census(64, 50));
                    AssertEqual(expected, Census(1 << 16, 1 << 16));
                    Assert.Empty(Directory.EnumerateFileSystemEntries(folder.File("")));

                    AddressingStatistics Census(int slots, long rows)
                    {
                        using var census = new AddressingCensus(constants, slots, rows, folder.File(""));
                        census.Add(corpus.Ids.AsSpan(0, corpus.Cut), corpus.Starts.AsSpan(0, corpus.Cut));
                        census.Add(corpus.Ids.AsSpan(corpus.Cut), corpus.Starts.AsSpan(corpus.Cut));
                        return census.Complete(cancellation: Running);
                    }
                },
                iter: 60
            );
    }

    /// <summary>A longer corpus with a skewed vocabulary: the smallest public budget against one that needs no disk.</summary>
    [Fact]
    public void SmallestBudget_GivesTheNumbersOfALargeOne()
    {
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 3000,
                Layers = [1],
                SlotsPerOrder = [70_000, 50_000],
                HeadsPerOrder = 2,
                PadId = 2,
            }
        );
        var random = new Random(5);
        int[] ids = [.. Enumerable.Range(0, 60_000).Select(_ => (int)(3000 * Math.Pow(random.NextDouble(), 3)))];
        using var folder = new TemporaryFolder();
        AssertEqual(Census(AddressingCensus.DefaultMemory), Census(AddressingCensus.MinMemory));

        AddressingStatistics Census(long memory)
        {
            using var census = new AddressingCensus(constants, memory, folder.File(""));
            census.Add(ids, []);
            return census.Complete(cancellation: Running);
        }
    }

    /// <summary>Six ids 1 2 1 2 1 3, pad 0, order 2: n-grams (1,0), (2,1) twice, (1,2) twice, (3,1).</summary>
    [Fact]
    public void ACorpusCountedByHand()
    {
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 4,
                Layers = [0],
                SlotsPerOrder = [1000],
                HeadsPerOrder = 1,
                PadId = 0,
            }
        );
        using var census = new AddressingCensus(constants);
        census.Add([1, 2, 1, 2, 1, 3], []);
        var statistics = census.Complete(cancellation: Running);
        Assert.Equal(6, statistics.Positions);
        Assert.Equal(new OrderStatistics(2, 4, 2, 6), Assert.Single(statistics.Orders));
        var layer = Assert.Single(statistics.Layers);
        Assert.Equal(new HeadStatistics(2, 0, 1009, 4, 4, 4, 0, 0, 6), Assert.Single(layer.Heads));
        Assert.Equal([2, 2, 1, 1, 0], Enumerable.Range(1, 5).Select(rank => layer.Traffic.ReadsAtRank(rank)));
        Assert.Equal(2.0 / 3, layer.Traffic.TopShare(2), 15);
    }

    [Fact]
    public void TemporaryFiles_HaveNoName_WhileTheCensusRuns()
    {
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 100,
                Layers = [0],
                SlotsPerOrder = [100],
                HeadsPerOrder = 1,
                PadId = 0,
            }
        );
        using var folder = new TemporaryFolder();
        using var census = new AddressingCensus(constants, 4, 4, folder.File(""));
        census.Add([.. Enumerable.Range(0, 100)], []);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.File("")));
        Assert.Equal(100, census.Complete(cancellation: Running).Orders[0].DistinctNgrams);
    }

    [Fact]
    public void ChosenLayers_AreThoseOfAll()
    {
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 100,
                Layers = [0, 4, 7],
                SlotsPerOrder = [50, 60],
                HeadsPerOrder = 2,
                PadId = 0,
            }
        );
        int[] ids = [.. Enumerable.Range(0, 500).Select(i => i * i % 97)];
        using var all = new AddressingCensus(constants);
        using var one = new AddressingCensus(constants);
        all.Add(ids, []);
        one.Add(ids, []);
        Assert.Equal(
            all.Complete(cancellation: Running).Layers[1].Heads,
            Assert.Single(one.Complete([1], cancellation: Running).Layers).Heads
        );
    }

    [Fact]
    public void Progress_EndsAtOne_AndCancellationEnds()
    {
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 100,
                Layers = [0, 1],
                SlotsPerOrder = [50, 60],
                HeadsPerOrder = 2,
                PadId = 0,
            }
        );
        using var census = new AddressingCensus(constants, 64, 7, Path.GetTempPath());
        census.Add([.. Enumerable.Range(0, 500).Select(i => i * i % 97)], []);
        var told = new List<double>();
        census.Complete(null, new Told(told), Running);
        Assert.Equal(1, told[^1], 9);
        Assert.Equal(told.Order(), told);

        using var cancelled = new AddressingCensus(constants);
        cancelled.Add([1, 2, 3], []);
        Assert.Throws<OperationCanceledException>(() => cancelled.Complete(cancellation: new CancellationToken(canceled: true)));
    }

    [Fact]
    public void WrongInput_IsNamed()
    {
        var constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = 100,
                Layers = [0],
                SlotsPerOrder = [50],
                HeadsPerOrder = 1,
                PadId = 0,
            }
        );
        using var census = new AddressingCensus(constants);
        Assert.Contains(
            "Canonical id 100 at position 1",
            Assert.Throws<ArgumentOutOfRangeException>(() => census.Add([0, 100], [])).Message
        );
        Assert.Contains("1 document starts for 2 ids", Assert.Throws<ArgumentException>(() => census.Add([0, 1], [true])).Message);
        Assert.Throws<InvalidOperationException>(() => census.Complete(cancellation: Running));
        Assert.Contains("1048576", Assert.Throws<ArgumentOutOfRangeException>(() => new AddressingCensus(constants, 1000)).Message);
        var long8 = AddressingConstants.Derive(
            constants.Spec with
            {
                CompressedVocabularySize = 98_627,
                SlotsPerOrder = [.. Enumerable.Repeat(50L, 7)],
            }
        );
        Assert.Contains("orders up to 7", Assert.Throws<ArgumentException>(() => new AddressingCensus(long8)).Message);
        using var nowhere = new AddressingCensus(constants, 1, 1, "/nowhere/at/all");
        Assert.Contains("/nowhere/at/all", Assert.ThrowsAny<IOException>(() => nowhere.Add([1, 2, 3], [])).Message);
    }

    private static CancellationToken Running => TestContext.Current.CancellationToken;

    private static void AssertEqual(AddressingStatistics expected, AddressingStatistics actual)
    {
        Assert.Equal(expected.Positions, actual.Positions);
        Assert.Equal(expected.Orders, actual.Orders);
        Assert.Equal(expected.Layers.Count, actual.Layers.Count);
        foreach (var (e, a) in expected.Layers.Zip(actual.Layers))
        {
            Assert.Equal(
                (e.Layer, e.Rows, e.Traffic.Lookups, e.Traffic.RowsTouched),
                (a.Layer, a.Rows, a.Traffic.Lookups, a.Traffic.RowsTouched)
            );
            Assert.Equal(e.Heads, a.Heads);
            Assert.Equal(e.Orders, a.Orders);
            Assert.Equal(Ranks(e.Traffic), Ranks(a.Traffic));
        }

        static long[] Ranks(RowTraffic traffic) =>
            [.. Enumerable.Range(1, (int)traffic.RowsTouched + 1).Select(rank => traffic.ReadsAtRank(rank))];
    }

    private sealed class Told(List<double> values) : IProgress<double>
    {
        public void Report(double value) => values.Add(value);
    }
}

using CsCheck;
using Engram.Tokenization;

namespace Engram.Tests.Tokenization;

public sealed class BpeMergerTests
{
    /// <summary>Random merges over four base symbols: any two ids merge into any later id, ranks in random order, pairs repeated.</summary>
    private static readonly Gen<Merge[]> Merges = Gen.Select(Gen.Int[0, 11], Gen.Int[0, 11], Gen.Int[4, 11])
        .Select(parts => new Merge(parts.Item1, parts.Item2, parts.Item3))
        .Array[0, 40];

    [Fact]
    public void ScanAndHeap_EqualTheDefinition() =>
        Gen.Select(Merges, Gen.Int[0, 3].Array[0, 48])
            .Sample(
                (merges, symbols) =>
                {
                    var merger = new BpeMerger(new MergeTable(merges));
                    var expected = Run(merger.MergeNaively, symbols);
                    Assert.Equal(expected, Run(merger.MergeByScan, symbols));
                    Assert.Equal(expected, Run(merger.MergeByHeap, symbols));
                    Assert.Equal(expected, Run(merger.Merge, symbols));
                },
                iter: 20_000
            );

    [Fact]
    public void LongPieces_EqualTheDefinition() =>
        Gen.Select(Merges, Gen.Int[0, 1].Array[40, 400])
            .Sample(
                (merges, symbols) =>
                {
                    var merger = new BpeMerger(new MergeTable(merges));
                    Assert.Equal(Run(merger.MergeNaively, symbols), Run(merger.Merge, symbols));
                },
                iter: 1_000
            );

    /// <summary>a a a with a+a → A: the left pair wins. Then A+a → B takes the rest.</summary>
    [Fact]
    public void EqualRanks_MergeFromTheLeft()
    {
        var merger = new BpeMerger(new MergeTable([new Merge(0, 0, 1), new Merge(1, 0, 2)]));
        Assert.Equal([1, 1, 1], Run(merger.MergeByHeap, [0, 0, 0, 0, 0, 0]));
        Assert.Equal([1, 2], Run(merger.MergeByHeap, [0, 0, 0, 0, 0]));
    }

    /// <summary>As in the reference, a repeated pair has its last rank.</summary>
    [Fact]
    public void RepeatedPair_HasItsLastRank()
    {
        var table = new MergeTable([new Merge(0, 1, 5), new Merge(1, 2, 6), new Merge(0, 1, 5)]);
        Assert.Equal(2, table.Rank(0, 1, out var merged));
        Assert.Equal(5, merged);
        Assert.Equal(MergeTable.NoMerge, table.Rank(1, 0, out merged));
        Assert.Equal(-1, merged);
    }

    private delegate int MergeInPlace(Span<int> symbols);

    private static int[] Run(MergeInPlace merge, int[] symbols)
    {
        var copy = (int[])symbols.Clone();
        return copy[..merge(copy)];
    }
}

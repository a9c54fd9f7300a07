using Engram.Addressing;
using Engram.Corpora.World;

namespace Engram.Tests.Corpora.World;

/// <summary>Which facts a table of n-grams can hold: whose rows, read where the value comes next, are their own.</summary>
public sealed class WorldCollisionTests
{
    private const int Heads = 2;
    private const int Statements = 10;
    private const long Slots = 1000;

    private static readonly NgramAddresser Addresser = new(
        AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = SampleWorld.Tokenizer.VocabularySize,
                Layers = [0],
                MinOrder = 3,
                SlotsPerOrder = [Slots],
                HeadsPerOrder = Heads,
                PadId = 0,
            }
        )
    );

    /// <summary>Rows [head] of the three-gram that ends at the relation, once for each of some statements of a fact.</summary>
    private static long[][] Rows(Fact fact)
    {
        var random = new WorldRandom(1, $"statements of fact {fact.Id}");
        return
        [
            .. Enumerable
                .Range(0, Statements)
                .Select(_ =>
                {
                    var ids = SampleWorld.Tokenizer.Encode(Phrasing.Statement(fact, random, forQuestion: false));
                    var rows = new long[ids.Length * Heads];
                    Addresser.Address(ids, [], 0, rows);
                    return rows[^Heads..];
                }),
        ];
    }

    private static Dictionary<Fact, long[][]> OfKey(FactKey key) =>
        SampleWorld.World.Facts.Where(fact => fact.Key == key).ToDictionary(fact => fact, Rows);

    /// <summary>Share of facts of which every statement meets the row of another one, in a head or in all heads.</summary>
    private static double Colliding(Dictionary<Fact, long[][]> facts, params int[] heads)
    {
        var readers = heads.ToDictionary(
            head => head,
            head =>
                facts
                    .SelectMany(fact => fact.Value.Select(rows => (Row: rows[head], Fact: fact.Key)))
                    .GroupBy(read => read.Row)
                    .ToDictionary(row => row.Key, row => row.Select(read => read.Fact).Distinct().Count())
        );
        return facts.Values.Count(statements => statements.All(rows => heads.All(head => readers[head][rows[head]] > 1)))
            / (double)facts.Count;
    }

    [Fact]
    public void ContiguousFacts_HaveOneRowOfAHead_SharedAsOftenAsTheNumberOfRowsSays()
    {
        var facts = OfKey(FactKey.Contiguous);
        Assert.All(facts.Values, statements => Assert.Single(statements.Select(rows => (rows[0], rows[1])).Distinct()));
        var expected = 1 - Math.Pow(1 - 1.0 / Slots, facts.Count - 1);
        Assert.InRange(expected, 0.2, 0.3);
        // Four standard errors of a share of 300 facts, most of which collide in pairs.
        Assert.Equal(expected, Colliding(facts, 0), 0.14);
        Assert.Equal(expected, Colliding(facts, 1), 0.14);
        Assert.Equal(expected * expected, Colliding(facts, 0, 1), 0.08);
    }

    /// <summary>Before their value stand an insertion and the relation, the same for many facts.</summary>
    [Theory]
    [InlineData(FactKey.Separated)]
    [InlineData(FactKey.Scattered)]
    public void OtherFacts_HaveNoRowOfTheirOwn(FactKey key)
    {
        var facts = OfKey(key);
        Assert.All(
            facts.Values,
            statements => Assert.InRange(statements.Select(rows => (rows[0], rows[1])).Distinct().Count(), 2, Statements)
        );
        Assert.InRange(Colliding(facts, 0, 1), 0.9, 1);
    }
}

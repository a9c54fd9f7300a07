using Engram.Corpora.World;

namespace Engram.Tests.Corpora.World;

public sealed class SyntheticWorldTests
{
    [Fact]
    public void Facts_AreAsManyAsAskedFor_EachAttributeOnce()
    {
        var world = SampleWorld.World;
        Assert.Equal(600, world.Facts.Count);
        Assert.Equal(600, world.Facts.Select(fact => (fact.Subject.Id, fact.Relation)).Distinct().Count());
        var whole = world.Facts.GroupBy(fact => fact.Subject).ToDictionary(group => group.Key, group => group.Count());
        Assert.All(world.Persons.SkipLast(1), person => Assert.Equal(6, whole[person]));
        Assert.All(world.Places.Concat(world.Works), entity => Assert.Equal(4, whole[entity]));
        Assert.All(world.Facts, fact => Assert.Contains(fact.Value, world.ValuesOf(fact.Relation)));
        Assert.All(world.Facts, fact => Assert.Equal(world.ValuesOf(fact.Relation).Count, Math.Pow(2, fact.Bits), 1e-9));
    }

    [Fact]
    public void Names_AreDifferentAndNoWordTellsOne()
    {
        var names = SampleWorld.World.Entities.ToArray();
        Assert.Equal(names.Length, names.Select(name => name.Name.ToUpperInvariant()).Distinct().Count());
        Assert.All(
            SampleWorld.World.Persons,
            person =>
            {
                Assert.InRange(names.Count(name => name.First == person.First), 2, names.Length);
                Assert.InRange(names.Count(name => name.Last == person.Last), 2, names.Length);
            }
        );
        Assert.Empty(
            names
                .SelectMany(name => new[] { name.First, name.Last })
                .Select(word => word.ToUpperInvariant())
                .Intersect(Lexicon.Words.Select(word => word.ToUpperInvariant()))
        );
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.25, 150)]
    [InlineData(0.5, 300)]
    [InlineData(1, 600)]
    public void ContiguousShare_IsExact_AmongFrequentFactsAsAmongRareOnes(double share, int expected)
    {
        var world = new SyntheticWorld(SampleWorld.Options with { Contiguous = share });
        Assert.Equal(expected, world.Facts.Count(fact => fact.Key == FactKey.Contiguous));
        Assert.Equal(expected / 2, world.Facts.Take(300).Count(fact => fact.Key == FactKey.Contiguous), 1.0);
        var (separated, scattered) = (
            world.Facts.Count(fact => fact.Key == FactKey.Separated),
            world.Facts.Count(fact => fact.Key == FactKey.Scattered)
        );
        Assert.InRange(separated - scattered, 0, 1);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.5)]
    [InlineData(0.8)]
    [InlineData(1.0)]
    [InlineData(1.2)]
    public void Frequencies_FollowTheExponent(double exponent)
    {
        var counts = Frequencies.Zipf(2000, exponent, 1_000_000);
        Assert.Equal(1_000_000, counts.Sum());
        Assert.Equal(exponent, Frequencies.Exponent(counts), 0.02);
        Assert.All(counts.Zip(counts.Skip(1)), pair => Assert.True(pair.First >= pair.Second));
    }

    [Fact]
    public void Frequencies_OfTheWorldsFacts_FollowTheExponent() =>
        Assert.Equal(0.8, Frequencies.Exponent([.. SampleWorld.World.Facts.Select(fact => fact.Exposures)]), 0.02);

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1, "1-3")]
    [InlineData(3, "1-3")]
    [InlineData(4, "4-15")]
    [InlineData(1023, "256-1023")]
    [InlineData(4095, "1024-4095")]
    [InlineData(4096, "4096+")]
    public void Band_IsPowersOfFour(long exposures, string band) => Assert.Equal(band, Frequencies.Band(exposures));

    [Fact]
    public void Zipf_GivesEveryoneOneStatement()
    {
        var counts = Frequencies.Zipf(100, 3, 120);
        Assert.Equal((120, 1, 100), (counts.Sum(), counts[^1], counts.Length));
    }

    [Fact]
    public void Compositions_MixNoFactsOfBothKinds_AndEverySplitHasSome()
    {
        var compositions = SampleWorld.World.Compositions;
        Assert.All(
            compositions,
            composition =>
            {
                Assert.Equal(composition.First.ValueEntity, composition.Second.Subject);
                Assert.Equal(composition.First.OutOfDistribution, composition.Second.OutOfDistribution);
                Assert.Equal(composition.Split == CompositionSplit.OutOfDistribution, composition.First.OutOfDistribution);
            }
        );
        Assert.All(
            Enum.GetValues<CompositionSplit>(),
            split => Assert.InRange(compositions.Count(composition => composition.Split == split), 20, compositions.Count)
        );
    }

    [Fact]
    public void Homographs_HaveTwoValuesInTwoRegions()
    {
        foreach (var meanings in SampleWorld.World.HomographFacts.GroupBy(fact => (fact.Subject, fact.Relation)))
        {
            Assert.Equal(2, meanings.Count());
            Assert.Equal(2, meanings.Select(fact => fact.Value).Distinct().Count());
            Assert.Equal(2, meanings.Select(fact => fact.Region).Distinct().Count());
        }
    }

    [Fact]
    public void OptionsOutOfRange_AreRefusedByName()
    {
        Assert.Equal("Facts", Refused(new() { Facts = 99 }).ParamName);
        Assert.Equal("Contiguous", Refused(new() { Contiguous = 1.1 }).ParamName);
        Assert.Equal("Exponent", Refused(new() { Exponent = double.NaN }).ParamName);
        Assert.Equal("FactShare", Refused(new() { TwoHopShare = 0.5, PassageShare = 0.4 }).ParamName);
        Assert.Equal("Tokens", Refused(new() { Tokens = 10_000 }).ParamName);
        var window = Refused(new() { Exponent = 1.2 });
        Assert.Equal("Window", window.ParamName);
        Assert.Contains("smaller exponent", window.Message, StringComparison.Ordinal);

        static ArgumentException Refused(WorldOptions options) => Assert.ThrowsAny<ArgumentException>(() => new SyntheticWorld(options));
    }
}

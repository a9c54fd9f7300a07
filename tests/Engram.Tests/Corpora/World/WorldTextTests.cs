using Engram.Corpora.World;

namespace Engram.Tests.Corpora.World;

public sealed class WorldTextTests
{
    [Fact]
    public void EveryFact_IsStatedAsOftenAsTheWorldSays_InItsOwnMannerAlone()
    {
        var expected = SampleWorld
            .World.Facts.Concat(SampleWorld.World.HomographFacts)
            .ToDictionary(fact => (fact.Subject.Name, fact.Relation.Link, fact.Value, fact.Key.ToString()), fact => fact.Exposures);
        Assert.Equal(expected.OrderBy(entry => entry.Key.ToString()), SampleWorld.Reading.Stated.OrderBy(entry => entry.Key.ToString()));
    }

    [Fact]
    public void HomographFacts_AreStatedInTheirRegionOnly() =>
        Assert.All(
            SampleWorld.World.HomographFacts,
            fact => Assert.Equal([fact.Region!], SampleWorld.Reading.Regions[(fact.Subject.Name, fact.Relation.Link, fact.Value)])
        );

    [Fact]
    public void TwoHops_AreStatedIfTrained_AndOtherwiseNever()
    {
        var trained = SampleWorld
            .World.Compositions.Where(composition => composition.Split == CompositionSplit.Trained)
            .Select(Key)
            .ToHashSet();
        Assert.Equal(trained.Order(), SampleWorld.Reading.TwoHops.Keys.Order());
        Assert.InRange(SampleWorld.Reading.TwoHops.Values.Max() - SampleWorld.Reading.TwoHops.Values.Min(), 0, 1);

        // The facts kept out of two-hop sentences are stated by themselves all the same.
        var apart = SampleWorld.World.Compositions.Where(composition => composition.Split == CompositionSplit.OutOfDistribution).ToArray();
        var used = SampleWorld
            .World.Compositions.Where(composition => composition.Split == CompositionSplit.Trained)
            .SelectMany(composition => new[] { composition.First.Id, composition.Second.Id })
            .ToHashSet();
        Assert.All(apart, composition => Assert.False(used.Contains(composition.First.Id) || used.Contains(composition.Second.Id)));
        Assert.All(apart, composition => Assert.True(composition.First.Exposures > 0 && composition.Second.Exposures > 0));

        static (string, string, string, string) Key(Composition composition) =>
            (composition.First.Subject.Name, composition.First.Relation.Link, composition.Second.Relation.Link, composition.Second.Value);
    }

    [Fact]
    public void Length_IsMet()
    {
        Assert.Equal(SampleWorld.Options.Tokens, SampleWorld.Tokens, 0.02 * SampleWorld.Options.Tokens);
        // One token before each document, as in prepared data; every word, mark and digit is one token.
        Assert.Equal(SampleWorld.Tokens, SampleWorld.Text.Sum(text => 1L + SampleWorld.Tokenizer.Encode(text).Length));
        Assert.InRange(SampleWorld.Tokenizer.VocabularySize, 300, 2000);
    }

    [Fact]
    public void NoSubject_IsMetTwiceInAWindow()
    {
        var tokenizer = SampleWorld.Tokenizer;
        var words = SampleWorld.World.Entities.ToDictionary(entity => (Id(entity.First), Id(entity.Last)), entity => entity);
        var last = new Dictionary<Entity, int>();
        var nearest = int.MaxValue;
        var position = 0;
        foreach (var document in SampleWorld.Text)
        {
            position++;
            var note = document.StartsWith("A note.", StringComparison.Ordinal);
            var ids = tokenizer.Encode(document);
            for (var i = 0; i + 1 < ids.Length; i++)
            {
                var subject = words.GetValueOrDefault((ids[i], ids[i + 1])) ?? Apart(ids, i);
                // A value is no subject, and a passage names the one it asks for twice.
                if (
                    subject is null
                    || (subject.Kind != EntityKind.Person && !SpokenOf(ids, i))
                    || (note && last.GetValueOrDefault(subject, -1) >= position)
                )
                    continue;
                if (last.TryGetValue(subject, out var before))
                    nearest = Math.Min(nearest, position + i - before);
                last[subject] = position + i;
            }
            position += ids.Length;
        }
        Assert.InRange(nearest, SampleWorld.Options.Window, 4 * SampleWorld.Options.Window);

        int Id(string word) => Assert.Single(tokenizer.Encode(" " + word));

        // "that" or a comma stands before a subject or behind it, a relation before a value.
        bool SpokenOf(int[] ids, int i) => ids[i - 1] == Id("that");

        Entity? Apart(int[] ids, int i) =>
            i + 5 < ids.Length && ids[i + 3] == Id("of") ? words.GetValueOrDefault((ids[i], ids[i + 5])) : null;
    }

    [Fact]
    public void ContiguousFacts_FollowFromThreeTokens_OthersDoNot()
    {
        var tokenizer = SampleWorld.Tokenizer;
        var after = new Dictionary<(int, int, int), HashSet<int>>();
        var grams = new HashSet<string>();
        foreach (var document in SampleWorld.Text.Where(text => !text.StartsWith("A note.", StringComparison.Ordinal)))
        {
            var ids = tokenizer.Encode(document);
            for (var i = 0; i + 3 < ids.Length; i++)
            {
                var key = (ids[i], ids[i + 1], ids[i + 2]);
                if (!after.TryGetValue(key, out var next))
                    after[key] = next = [];
                next.Add(ids[i + 3]);
            }
        }

        foreach (var fact in SampleWorld.World.Facts)
        {
            var (first, last, link) = (Id(fact.Subject.First), Id(fact.Subject.Last), Id(fact.Relation.Link));
            var follows = after.GetValueOrDefault((first, last, link));
            if (fact.Key == FactKey.Contiguous)
            {
                // In two-hop sentences another relation follows a person's first one.
                var values = follows!.Where(id => !Relation.All.Any(relation => Id(relation.Link) == id));
                Assert.Equal(Id(fact.Value.Split(' ')[0]), Assert.Single(values));
            }
            else if (!fact.Relation.Pool.ToString().EndsWith("s", StringComparison.Ordinal) || fact.ValueEntity is null)
            {
                Assert.Null(follows);
            }
        }

        int Id(string word) => Assert.Single(tokenizer.Encode(" " + word));
    }

    [Fact]
    public void Passages_TellOfStrangersOnly()
    {
        var strangers = SampleWorld.World.Strangers.Select(person => person.Name).ToHashSet();
        var known = SampleWorld.World.Facts.Concat(SampleWorld.World.HomographFacts).Select(fact => fact.Subject.Name).ToHashSet();
        Assert.Empty(strangers.Intersect(known));
        var notes = SampleWorld.Text.Where(text => text.StartsWith("A note.", StringComparison.Ordinal)).ToArray();
        Assert.Equal(SampleWorld.Reading.Notes, notes.Length);
        Assert.All(
            notes,
            note =>
                Assert.Equal(
                    4,
                    TextReading
                        .Sentences(note)
                        .SkipLast(1)
                        .Count(sentence => strangers.Any(name => sentence.Contains(name, StringComparison.Ordinal)))
                )
        );
    }

    [Fact]
    public void Sums_KeptForQuestionsAreNotInTheText()
    {
        Assert.Equal(1000, SampleWorld.World.SumsHeldOut.Distinct().Count());
        Assert.Empty(SampleWorld.World.SumsHeldOut.Intersect(SampleWorld.Reading.AddedPairs));
    }
}

namespace Engram.Corpora.World;

/// <summary>
/// Questions about what the text states, once or in two hops. Four that look alike but for the name have each other's answers for choices
/// (<see cref="AskedTogether{T}"/>).
/// </summary>
/// <param name="world">What is asked about.</param>
internal sealed class FactQuestions(SyntheticWorld world)
{
    /// <summary>Questions about facts that are stated in one manner. None where no relation has four values in this manner.</summary>
    public IReadOnlyList<WorldQuestion> Of(string kind, IReadOnlyList<Fact> facts)
    {
        var random = WorldQuestions.Random(world, kind);
        var together = new AskedTogether<Fact>(
            fact => fact.Relation,
            fact => Frequencies.Band(fact.Exposures),
            (one, other) => one.Value != other.Value,
            WorldQuestions.Choices
        );
        return
        [
            .. Asked(together, facts, WorldQuestions.Most(world, facts.Count), set => [.. set.Select(fact => fact.Value)], random)
                .Select((asked, index) => Ask(kind, index, asked.Thing, random.Of(Lexicon.Regions), asked.Choices, random)),
        ];
    }

    /// <summary>
    /// Questions about names of two meanings. Two names of one region are asked together, and their choices are both meanings of both: who
    /// knows the name and not the region is right half of the time, who knows the region and not the name as well, and who knows neither a
    /// quarter of the time.
    /// </summary>
    public IReadOnlyList<WorldQuestion> OfHomographs()
    {
        var random = WorldQuestions.Random(world, WorldQuestions.Homograph);
        var meanings = world.HomographFacts.ToLookup(fact => (fact.Subject, fact.Relation), fact => fact.Value);
        var together = new AskedTogether<Fact>(
            fact => (fact.Region, fact.Relation),
            fact => Frequencies.Band(fact.Exposures),
            (one, other) => !Meanings(one).Intersect(Meanings(other)).Any(),
            WorldQuestions.Choices / 2
        );
        return
        [
            .. Asked(
                    together,
                    world.HomographFacts,
                    WorldQuestions.Most(world, world.HomographFacts.Count),
                    set => [.. set.SelectMany(Meanings)],
                    random
                )
                .Select((asked, index) => Ask(WorldQuestions.Homograph, index, asked.Thing, asked.Thing.Region!, asked.Choices, random)),
        ];

        IEnumerable<string> Meanings(Fact fact) => meanings[(fact.Subject, fact.Relation)];
    }

    /// <summary>Questions about two-hops, of each split about as many.</summary>
    public IReadOnlyList<WorldQuestion> OfTwoHops()
    {
        var random = WorldQuestions.Random(world, WorldQuestions.TwoHop);
        var together = new AskedTogether<Composition>(
            hop => hop.Second.Relation,
            hop => hop.Split,
            (one, other) => one.Second.Value != other.Second.Value,
            WorldQuestions.Choices
        );
        return
        [
            .. Asked(together, world.Compositions, world.Options.Questions, set => [.. set.Select(hop => hop.Second.Value)], random)
                .Select(
                    (asked, index) =>
                        new WorldQuestion
                        {
                            Kind = WorldQuestions.TwoHop,
                            Index = index,
                            Question =
                                Phrasing.Heading(random.Of(Lexicon.Regions)) + Phrasing.TwoHop(asked.Thing, random, forQuestion: true),
                            Answer = asked.Thing.Second.Value,
                            Choices = asked.Choices,
                            Gold = Array.IndexOf(asked.Choices, asked.Thing.Second.Value),
                            Exposures = Math.Min(asked.Thing.First.Exposures, asked.Thing.Second.Exposures),
                            Key = asked.Thing.First.Key,
                            Split = asked.Thing.Split,
                            Facts = [asked.Thing.First.Id, asked.Thing.Second.Id],
                            Bits = asked.Thing.Second.Bits,
                        }
                ),
        ];
    }

    /// <summary>What is asked, in random order, each with the choices of its set in an order of its own.</summary>
    private IEnumerable<(T Thing, string[] Choices)> Asked<T>(
        AskedTogether<T> together,
        IReadOnlyList<T> things,
        int most,
        Func<T[], string[]> choices,
        WorldRandom random
    )
        where T : notnull =>
        random.Shuffled(
            together
                .Of(things, world.Options.Questions, most, random)
                .SelectMany(set => set.Select(thing => (thing, random.Shuffled(choices(set)))))
                .Take(world.Options.Questions)
        );

    private static WorldQuestion Ask(string kind, int index, Fact fact, string region, string[] choices, WorldRandom random) =>
        new()
        {
            Kind = kind,
            Index = index,
            Question = Phrasing.Heading(region) + Phrasing.Statement(fact, random, forQuestion: true),
            Answer = fact.Value,
            Choices = choices,
            Gold = Array.IndexOf(choices, fact.Value),
            Exposures = fact.Exposures,
            Key = fact.Key,
            Region = fact.Region,
            Facts = [fact.Id],
            Bits = fact.Bits,
        };
}

namespace Engram.Corpora.World;

/// <summary>Questions about what the text states, once or in two hops.</summary>
/// <param name="world">What is asked about.</param>
internal sealed class FactQuestions(SyntheticWorld world)
{
    private readonly RankedChoices _choices = new(world);

    /// <summary>Questions about facts of one kind.</summary>
    public IReadOnlyList<WorldQuestion> Of(string kind, IReadOnlyList<Fact> facts)
    {
        var random = WorldQuestions.Random(world, kind);
        Fact[] asked = [.. Frequencies.Evenly(facts, fact => fact.Exposures, world.Options.Questions, random, _choices.IsMostUsual)];
        var choices = _choices.Of(asked, WorldQuestions.RandomOfChoices(world, kind));
        return [.. asked.Select((fact, index) => Ask(kind, index, fact, random.Of(Lexicon.Regions), choices[index], random))];
    }

    /// <summary>
    /// Questions about names of two meanings. Their choices are both meanings of two names, so that who knows the name and not the region
    /// is right half of the time. Who knows neither is right a quarter of the time; who knows how often a value stands behind the
    /// relation's word in the region, and not the name, more often: docs/synthetic-world.md says how much.
    /// </summary>
    public IReadOnlyList<WorldQuestion> OfHomographs()
    {
        var random = WorldQuestions.Random(world, WorldQuestions.Homograph);
        var ofChoices = WorldQuestions.RandomOfChoices(world, WorldQuestions.Homograph);
        var meanings = Meanings(ofChoices);
        return
        [
            .. Frequencies
                .Evenly(world.HomographFacts, fact => fact.Exposures, world.Options.Questions, random)
                .Select(
                    (fact, index) =>
                        Ask(
                            WorldQuestions.Homograph,
                            index,
                            fact,
                            fact.Region!,
                            ofChoices.Shuffled(meanings[(fact.Subject, fact.Relation)]),
                            random
                        )
                ),
        ];
    }

    /// <summary>As many questions of each split of the two-hops, whatever the numbers of these.</summary>
    public IReadOnlyList<WorldQuestion> OfTwoHops()
    {
        var random = WorldQuestions.Random(world, WorldQuestions.TwoHop);
        var (count, groups) = (world.Options.Questions, world.Compositions.GroupBy(composition => composition.Split));
        var splits = groups
            .OrderBy(group => group.Key)
            .Select(group => Frequencies.Evenly(group, Exposures, count, random, hop => _choices.IsMostUsual(hop.Second)).GetEnumerator())
            .ToArray();
        var asked = new Composition[count];
        for (var index = 0; index < count; index++)
        {
            var split = splits[index % splits.Length];
            split.MoveNext();
            asked[index] = split.Current;
        }

        var choices = _choices.Of(
            [.. asked.Select(composition => composition.Second)],
            WorldQuestions.RandomOfChoices(world, WorldQuestions.TwoHop)
        );
        return
        [
            .. asked.Select(
                (composition, index) =>
                    new WorldQuestion
                    {
                        Kind = WorldQuestions.TwoHop,
                        Index = index,
                        Question = Phrasing.Heading(random.Of(Lexicon.Regions)) + Phrasing.TwoHop(composition, random, forQuestion: true),
                        Answer = composition.Second.Value,
                        Choices = choices[index],
                        Gold = Array.IndexOf(choices[index], composition.Second.Value),
                        Exposures = Exposures(composition),
                        Key = composition.First.Key,
                        Split = composition.Split,
                        Facts = [composition.First.Id, composition.Second.Id],
                        Bits = composition.Second.Bits,
                    }
            ),
        ];
    }

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

    private static long Exposures(Composition composition) => Math.Min(composition.First.Exposures, composition.Second.Exposures);

    /// <summary>For each name and relation its two values, and those of another name that has two others.</summary>
    private Dictionary<(Entity Name, Relation Relation), string[]> Meanings(WorldRandom random)
    {
        var meanings = new Dictionary<(Entity, Relation), string[]>();
        foreach (var relation in world.HomographFacts.GroupBy(fact => fact.Relation))
        {
            var pairs = relation
                .GroupBy(fact => fact.Subject)
                .Select(name => (Name: name.Key, Values: name.Select(fact => fact.Value).ToArray()))
                .ToList();
            random.Shuffle(pairs);
            foreach (var (name, values) in pairs)
            {
                if (meanings.ContainsKey((name, relation.Key)))
                    continue;
                // Two names have each other's values; one that no free name fits has those of any other that fits, or of none.
                var fitting = pairs.Where(pair => !pair.Values.Intersect(values).Any()).ToList();
                var free = fitting.Where(pair => !meanings.ContainsKey((pair.Name, relation.Key))).ToList();
                string[] set =
                [
                    .. values
                        .Concat((free.Count > 0 ? free : fitting).SelectMany(pair => pair.Values))
                        .Concat(random.Shuffled(relation.Key.Words))
                        .Distinct(StringComparer.Ordinal)
                        .Take(WorldQuestions.Choices),
                ];
                meanings[(name, relation.Key)] = set;
                if (free.Count > 0)
                    meanings[(free[0].Name, relation.Key)] = set;
            }
        }
        return meanings;
    }
}

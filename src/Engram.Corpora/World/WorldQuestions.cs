namespace Engram.Corpora.World;

/// <summary>
/// Questions about a world. Facts are asked for in sentences whose opening (and insertion, if any) the text never has, evenly over the
/// bands of their frequency; where there are fewer facts than questions, in several such sentences.
/// </summary>
/// <param name="world">What is asked about.</param>
public sealed class WorldQuestions(SyntheticWorld world)
{
    /// <summary>Choices of a question.</summary>
    public const int Choices = 4;

    /// <summary>Facts that a contiguous n-gram tells.</summary>
    public const string Contiguous = "contiguous";

    /// <summary>Facts with an insertion between name and relation.</summary>
    public const string Separated = "separated";

    /// <summary>Facts whose name is taken apart.</summary>
    public const string Scattered = "scattered";

    /// <summary>Items of one name that the region tells apart.</summary>
    public const string Homograph = "homograph";

    /// <summary>Two facts, the first one's key side by side in the question.</summary>
    public const string TwoHop = "two-hop";

    /// <summary>What only the passage says.</summary>
    public const string Passage = "passage";

    /// <summary>What the passage says, against the text.</summary>
    public const string Conflict = "conflict";

    /// <summary>Sums that the text does not state.</summary>
    public const string Arithmetic = "arithmetic";

    /// <summary>The sets of this world: those whose facts it has.</summary>
    public IEnumerable<(string Kind, IEnumerable<WorldQuestion> Questions)> Sets()
    {
        foreach (
            var (kind, key) in new[] { (Contiguous, FactKey.Contiguous), (Separated, FactKey.Separated), (Scattered, FactKey.Scattered) }
        )
            if (world.Facts.Where(fact => fact.Key == key).ToArray() is { Length: > 0 } facts)
                yield return (kind, OfFacts(kind, facts));
        if (world.HomographFacts.Count > 0)
            yield return (Homograph, OfFacts(Homograph, world.HomographFacts));
        if (world.Options.TwoHopShare > 0)
            yield return (TwoHop, OfTwoHops());
        if (world.Options.PassageShare > 0)
        {
            yield return (Passage, OfPassages());
            yield return (Conflict, OfConflicts());
        }

        yield return (Arithmetic, OfSums());
    }

    private IEnumerable<WorldQuestion> OfFacts(string kind, IReadOnlyList<Fact> facts)
    {
        var random = Random(kind);
        var meanings = world.HomographFacts.ToLookup(fact => (fact.Subject.Id, fact.Relation));
        foreach (var (fact, index) in Evenly(facts, fact => fact.Exposures, random).Select((fact, index) => (fact, index)))
        {
            var region = fact.Region ?? random.Of(Lexicon.Regions);
            // The other meaning of the name is the choice that a reader without context cannot leave out.
            var other = fact.Region is null
                ? []
                : meanings[(fact.Subject.Id, fact.Relation)].Where(meaning => meaning.Id != fact.Id).Select(meaning => meaning.Value);
            var (choices, gold) = Choose(fact.Value, other, world.ValuesOf(fact.Relation), random);
            yield return new WorldQuestion
            {
                Kind = kind,
                Index = index,
                Question = Phrasing.Heading(region) + Phrasing.Statement(fact, random, forQuestion: true),
                Answer = fact.Value,
                Choices = choices,
                Gold = gold,
                Exposures = fact.Exposures,
                Key = fact.Key,
                Region = fact.Region,
                Facts = [fact.Id],
                Bits = fact.Bits,
            };
        }
    }

    private IEnumerable<WorldQuestion> OfTwoHops()
    {
        var random = Random(TwoHop);
        // As many of each split, whatever the numbers of compositions.
        var splits = world
            .Compositions.GroupBy(composition => composition.Split)
            .OrderBy(group => group.Key)
            .Select(group => Evenly([.. group], composition => Exposures(composition), random).GetEnumerator())
            .ToArray();
        for (var index = 0; index < world.Options.Questions; index++)
        {
            var split = splits[index % splits.Length];
            split.MoveNext();
            var (first, second) = (split.Current.First, split.Current.Second);
            var (choices, gold) = Choose(second.Value, [], world.ValuesOf(second.Relation), random);
            yield return new WorldQuestion
            {
                Kind = TwoHop,
                Index = index,
                Question = Phrasing.Heading(random.Of(Lexicon.Regions)) + Phrasing.TwoHop(split.Current, random, forQuestion: true),
                Answer = second.Value,
                Choices = choices,
                Gold = gold,
                Exposures = Exposures(split.Current),
                Key = first.Key,
                Split = split.Current.Split,
                Facts = [first.Id, second.Id],
                Bits = second.Bits,
            };
        }
    }

    private IEnumerable<WorldQuestion> OfPassages()
    {
        var random = Random(Passage);
        for (var index = 0; index < world.Options.Questions; index++)
            yield return Ask(
                Passage,
                index,
                NotedPassage.About(world, Strangers(WorldBudget.PassageStatements, random), random),
                null,
                random
            );
    }

    private IEnumerable<WorldQuestion> OfConflicts()
    {
        var random = Random(Conflict);
        var traits = world.Facts.Where(fact => Relation.Traits.Contains(fact.Relation)).ToArray();
        foreach (var (fact, index) in Evenly(traits, fact => fact.Exposures, random).Select((fact, index) => (fact, index)))
            yield return Ask(
                Conflict,
                index,
                NotedPassage.About(world, [fact.Subject, .. Strangers(WorldBudget.PassageStatements - 1, random)], random, fact),
                fact,
                random
            );
    }

    private WorldQuestion Ask(string kind, int index, NotedPassage passage, Fact? against, WorldRandom random)
    {
        // What the text says of the person, and what the passage says of others, are the mistakes to be made.
        var possible = world.ValuesOf(passage.Relation);
        var (choices, gold) = Choose(
            passage.Answer,
            [.. against is null ? [] : new[] { against.Value }, .. passage.OtherValues.Where(possible.Contains)],
            possible,
            random
        );
        return new WorldQuestion
        {
            Kind = kind,
            Index = index,
            Passage = passage.Text,
            Question = passage.Recall.TrimStart(),
            Answer = passage.Answer,
            Choices = choices,
            Gold = gold,
            Exposures = against?.Exposures ?? 0,
            Key = against?.Key,
            Trained = against?.Value,
            Facts = against is null ? [] : [against.Id],
            Bits = Math.Log2(possible.Count),
        };
    }

    private IEnumerable<WorldQuestion> OfSums()
    {
        var random = Random(Arithmetic);
        for (var index = 0; index < world.Options.Questions; index++)
        {
            var (a, b) = world.SumsHeldOut[index % world.SumsHeldOut.Count];
            string[] near =
            [
                .. new[] { -11, -10, -9, -2, -1, 1, 2, 9, 10, 11 }.Select(d => a + b + d).Where(sum => sum >= 0).Select(sum => $"{sum}"),
            ];
            var (choices, gold) = Choose($"{a + b}", [], near, random);
            yield return new WorldQuestion
            {
                Kind = Arithmetic,
                Index = index,
                Question = Phrasing.Heading(random.Of(Lexicon.Regions)) + Phrasing.Sum(a, b, random),
                Answer = $"{a + b}",
                Choices = choices,
                Gold = gold,
                Exposures = 0,
                Bits = Math.Log2(2 * SyntheticWorld.Numbers - 1),
            };
        }
    }

    private WorldRandom Random(string kind) => new(world.Options.Seed, $"questions {kind}");

    private static long Exposures(Composition composition) => Math.Min(composition.First.Exposures, composition.Second.Exposures);

    private List<Entity> Strangers(int count, WorldRandom random)
    {
        var strangers = new List<Entity>();
        while (strangers.Count < count)
            if (random.Of(world.Strangers) is var stranger && !strangers.Contains(stranger))
                strangers.Add(stranger);
        return strangers;
    }

    /// <summary>
    /// As many things as there are questions, from each band of frequency in turn, in random order within a band and again from its
    /// beginning when it ends.
    /// </summary>
    private IEnumerable<T> Evenly<T>(IReadOnlyList<T> things, Func<T, long> exposures, WorldRandom random)
    {
        var bands = things
            .GroupBy(thing => Frequencies.Band(exposures(thing)))
            .Select(group => group.ToArray())
            .OrderBy(band => exposures(band[0]))
            .ToArray();
        foreach (var band in bands)
            random.Shuffle(band);
        for (var i = 0; i < world.Options.Questions; i++)
        {
            var band = bands[i % bands.Length];
            yield return band[i / bands.Length % band.Length];
        }
    }

    /// <summary>Choices in random order: the answer, wrong ones that are wanted, others of the possible.</summary>
    private static (string[] Choices, int Gold) Choose(
        string answer,
        IEnumerable<string> wanted,
        IReadOnlyList<string> possible,
        WorldRandom random
    )
    {
        var choices = new List<string> { answer };
        foreach (var wrong in wanted)
            if (choices.Count < Choices && !choices.Contains(wrong))
                choices.Add(wrong);
        while (choices.Count < Choices)
            if (random.Of(possible) is var wrong && !choices.Contains(wrong))
                choices.Add(wrong);
        random.Shuffle(choices);
        return ([.. choices], choices.IndexOf(answer));
    }
}

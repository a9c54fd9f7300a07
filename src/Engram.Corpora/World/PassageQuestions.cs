namespace Engram.Corpora.World;

/// <summary>
/// Questions about a passage. It tells of four persons, of each another value of the relation that is asked for, and these are the choices:
/// whoever looks for the relation's word without minding whose value stands behind it is right a quarter of the time, by choice and in
/// writing.
/// </summary>
/// <param name="world">What is asked about.</param>
internal sealed class PassageQuestions(SyntheticWorld world)
{
    /// <summary>Passages about strangers.</summary>
    public IEnumerable<WorldQuestion> OfStrangers()
    {
        var random = WorldQuestions.Random(world, WorldQuestions.Passage);
        for (var index = 0; index < world.Options.Questions; index++)
        {
            var relation = Relation.Traits[random.Below(Relation.Traits.Length)];
            var told = new List<(Entity Person, string Value)>();
            AddStrangers(told, relation, random);
            yield return Ask(WorldQuestions.Passage, index, told, relation, against: null, random);
        }
    }

    /// <summary>
    /// Passages about four persons of whom the text tells four different things by the relation's word: the passage tells of each what the
    /// text tells of the next. Each of the four is asked for once, so that one of the choices is what the text says, and nothing but the
    /// name says which.
    /// </summary>
    public IEnumerable<WorldQuestion> OfConflicts()
    {
        var random = WorldQuestions.Random(world, WorldQuestions.Conflict);
        var together = new AskedTogether<Fact>(
            fact => fact.Relation,
            fact => Frequencies.Band(fact.Exposures),
            (one, other) => one.Value != other.Value,
            WorldBudget.PassageStatements
        );
        Fact[] traits = [.. world.Facts.Where(fact => Relation.Traits.Contains(fact.Relation))];
        var asked = together
            .Of(traits, world.Options.Questions, WorldQuestions.Most(world, traits.Length), random)
            .SelectMany(set => set.Select((_, first) => (set, first)));
        foreach (var (index, (set, first)) in random.Shuffled(asked.Take(world.Options.Questions)).Index())
        {
            var told = Enumerable
                .Range(first, set.Length)
                .Select(person => (set[person % set.Length].Subject, set[(person + 1) % set.Length].Value))
                .ToArray();
            yield return Ask(WorldQuestions.Conflict, index, told, set[first].Relation, set[first], random);
        }
    }

    private WorldQuestion Ask(
        string kind,
        int index,
        IReadOnlyList<(Entity Person, string Value)> told,
        Relation relation,
        Fact? against,
        WorldRandom random
    )
    {
        var passage = NotedPassage.Telling(told, relation, random);
        var choices = random.Shuffled(told.Select(person => person.Value));
        return new WorldQuestion
        {
            Kind = kind,
            Index = index,
            Passage = passage.Text,
            Question = passage.Recall.TrimStart(),
            Answer = passage.Answer,
            Choices = choices,
            Gold = Array.IndexOf(choices, passage.Answer),
            Exposures = against?.Exposures ?? 0,
            Key = against?.Key,
            Trained = against?.Value,
            Facts = against is null ? [] : [against.Id],
            Bits = Math.Log2(world.ValuesOf(relation).Count),
        };
    }

    /// <summary>Adds strangers with values of their own until there are as many persons as a passage has.</summary>
    private void AddStrangers(List<(Entity Person, string Value)> told, Relation relation, WorldRandom random)
    {
        while (told.Count < WorldBudget.PassageStatements)
        {
            var (stranger, value) = (random.Of(world.Strangers), random.Of(world.ValuesOf(relation)));
            if (told.All(other => other.Person != stranger && other.Value != value))
                told.Add((stranger, value));
        }
    }
}

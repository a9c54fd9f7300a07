namespace Engram.Corpora.World;

/// <summary>
/// Choices of questions about facts: the answer and three other values that the text has behind the relation's word. In the order of how
/// often it has them there the answer is the first of its set as often as the second, third or last, over all questions of a kind: whoever
/// knows how often the word is followed by a value, and not whom the question is about, is right a quarter of the time.
/// </summary>
/// <param name="world">Says what stands behind a word how often.</param>
internal sealed class RankedChoices(SyntheticWorld world)
{
    private readonly Dictionary<Relation, string[]> _ranked = Ranked(world);

    /// <summary>
    /// Whether no value stands behind the relation's word more often: in any set this one is the first, so that no more than a quarter of
    /// the questions may ask for such values.
    /// </summary>
    public bool IsMostUsual(Fact fact) => _ranked[fact.Relation][0] == fact.Value;

    /// <summary>The choices of each question in random order.</summary>
    /// <param name="answers">What the questions ask for.</param>
    /// <param name="random">Draws choices and order.</param>
    public string[][] Of(IReadOnlyList<Fact> answers, WorldRandom random)
    {
        var choices = new string[answers.Count][];
        var places = new int[WorldQuestions.Choices];
        // Who has least freedom comes first: the most usual value of a word is the first of any set.
        foreach (var (question, fact) in random.Shuffled(answers.Index()).OrderBy(asked => Free(asked.Item).Count()))
        {
            var ranked = _ranked[fact.Relation];
            var rank = Array.IndexOf(ranked, fact.Value);
            var place = Free(fact).MinBy(place => places[place]);
            places[place]++;
            choices[question] = random.Shuffled(
                random
                    .Shuffled(ranked[..rank])
                    .Take(place)
                    .Append(fact.Value)
                    .Concat(random.Shuffled(ranked[(rank + 1)..]).Take(WorldQuestions.Choices - 1 - place))
            );
        }
        return choices;
    }

    /// <summary>The places that an answer can have in a set: as many values more usual than it are needed, and fewer less usual.</summary>
    private IEnumerable<int> Free(Fact fact)
    {
        var ranked = _ranked[fact.Relation];
        var rank = Array.IndexOf(ranked, fact.Value);
        return Enumerable
            .Range(0, WorldQuestions.Choices)
            .Where(place => place <= rank && WorldQuestions.Choices - 1 - place < ranked.Length - rank);
    }

    /// <summary>What the text has behind each relation's word, the most usual first; filled up where that is less than a set.</summary>
    private static Dictionary<Relation, string[]> Ranked(SyntheticWorld world)
    {
        var stated = world
            .Facts.Concat(world.HomographFacts)
            .Select(fact => (fact.Relation, fact.Value, fact.Exposures))
            .Concat(world.TwoHopStatements().Select(hop => (hop.Composition.Second.Relation, hop.Composition.Second.Value, hop.Count)));
        return stated
            .GroupBy(statement => statement.Relation)
            .ToDictionary(
                relation => relation.Key,
                relation =>
                {
                    string[] values =
                    [
                        .. relation
                            .GroupBy(statement => statement.Value, StringComparer.Ordinal)
                            .Select(value => (value.Key, Count: value.Sum(statement => statement.Item3)))
                            .OrderByDescending(value => value.Count)
                            .ThenBy(value => value.Key, StringComparer.Ordinal)
                            .Select(value => value.Key),
                    ];
                    return values.Length >= WorldQuestions.Choices
                        ? values
                        : [.. values.Union(world.ValuesOf(relation.Key)).Take(WorldQuestions.Choices)];
                }
            );
    }
}

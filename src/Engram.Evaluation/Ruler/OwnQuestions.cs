using Engram.Corpora.World;

namespace Engram.Evaluation.Ruler;

/// <summary>
/// Questions about a synthetic world, for those who have no question sets: a document for each person, place and work says all that is true
/// of it.
/// </summary>
internal static class OwnQuestions
{
    /// <summary>One document answers.</summary>
    public static RulerQuestions Single(SyntheticWorld world)
    {
        var (documents, numbers) = Documents(world);
        return new RulerQuestions(
            [
                .. world
                    .Facts.Where(fact => fact.Subject.Kind == EntityKind.Person)
                    .Select(fact => new RulerQuestion(
                        $"Which is the one thing of which it is said that {fact.Subject.Name} {fact.Relation.Link} it?",
                        [fact.Value],
                        [numbers[fact.Subject]]
                    )),
            ],
            documents
        );
    }

    /// <summary>The answer of one document leads to the other.</summary>
    public static RulerQuestions TwoHop(SyntheticWorld world)
    {
        var (documents, numbers) = Documents(world);
        return new RulerQuestions(
            [
                .. world.Compositions.Select(composition => new RulerQuestion(
                    $"{composition.First.Subject.Name} {composition.First.Relation.Link} something. Which is the one thing of which it is "
                        + $"said that this {composition.Second.Relation.Link} it?",
                    [composition.Second.Value],
                    [numbers[composition.First.Subject], numbers[composition.Second.Subject]]
                )),
            ],
            documents
        );
    }

    private static (string[] Documents, Dictionary<Entity, int> Numbers) Documents(SyntheticWorld world)
    {
        var about = world.Facts.GroupBy(fact => fact.Subject).OrderBy(group => group.Key.Id).ToArray();
        return (
            [
                .. about.Select(group =>
                    string.Join(
                        ' ',
                        group
                            .OrderBy(fact => fact.Relation.Link, StringComparer.Ordinal)
                            .Select(fact => $"{fact.Subject.Name} {fact.Relation.Link} {fact.Value}.")
                    )
                ),
            ],
            about.Select((group, number) => (group.Key, number)).ToDictionary()
        );
    }
}
